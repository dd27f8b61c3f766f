/**
 * OpenFlow of one Open vSwitch instance: bundles and flow events on a held connection to each bridge, everything else, and
 * what that connection cannot say, through ovs-ofctl(8). The door of this package for flows and OpenFlow ports.
 */
import { Connections } from "./connections";
import { ConnectionMonitor } from "./monitor";
import { watchByProcess } from "./ofctl-watch";
import { formatChange, formatFilter, parseFlows } from "./flow";
import type { FlowChange, FlowEntry, FlowFilter } from "./flow";
import { parseAggregate, parsePorts, parseTables } from "./port";
import type { AggregateStatistics, OpenFlowPort, TableStatistics } from "./port";
import { fail, ok } from "./result";
import type { OvsOptions, Result } from "./result";
import { run } from "./run";
import { Silent } from "./wire/connection";
import type { BundleOutcome } from "./wire/connection";
import { encodeChange } from "./wire/flow-mod";

/** Whatever the bridge's `protocols` column still allows of these is used; bundles need 1.3 or newer. */
const VERSIONS = "OpenFlow13,OpenFlow14,OpenFlow15";

/** The bridge's own management socket; a bridge name given as it is could be taken for a remote such as `tcp:…`. */
function target(options: OvsOptions, bridge: string): string {
  return `unix:${options.runDir}/${bridge}.mgmt`;
}

export class OpenFlow {
  private readonly connections: Connections;

  constructor(private readonly options: OvsOptions) {
    this.connections = new Connections(options);
  }

  /** The bridge's flows, or those that the filter covers. Ports in match and actions are numbers. */
  async dumpFlows(bridge: string, filter: FlowFilter = {}): Promise<Result<FlowEntry[]>> {
    const output = await this.ofctl(bridge, ["--no-names"], "dump-flows", nonEmpty(formatFilter(filter)));
    return output.ok ? ok(parseFlows(output.value)) : output;
  }

  /** Sums over the flows that the filter covers: cheaper than a dump when only their number matters. */
  async aggregate(bridge: string, filter: FlowFilter = {}): Promise<Result<AggregateStatistics>> {
    const output = await this.ofctl(bridge, [], "dump-aggregate", nonEmpty(formatFilter(filter)));
    if (!output.ok) return output;
    const statistics = parseAggregate(output.value);
    return statistics
      ? ok(statistics)
      : fail(`ovs-ofctl dump-aggregate ${bridge}`, `not understood: ${output.value.trim()}`);
  }

  /**
   * Applies all changes in one atomic, ordered OpenFlow bundle: either all of them are in force, at one instant, or none
   * and the error names the change that was refused. No changes, no call. A stream of changes is read to its end first.
   */
  async bundle(bridge: string, stream: Iterable<FlowChange> | AsyncIterable<FlowChange>): Promise<Result<void>> {
    const changes = Symbol.asyncIterator in stream ? await collect(stream) : [...stream];
    if (changes.length === 0) return ok(undefined);
    const outcome = await this.bundleDirectly(bridge, changes);
    if (outcome === "done") return ok(undefined);
    if (outcome === "lost" || outcome === "timedOut") {
      const timedOut = outcome === "timedOut";
      const why = timedOut ? "does not answer" : "has ended the connection";
      return fail(`bundle of ${changes.length} changes on ${bridge}`, `ovs-vswitchd ${why}`, { timedOut });
    }
    return this.bundleByProcess(bridge, changes);
  }

  /** On the held connection. Null if that cannot say one of the changes, or is not to be had. */
  private async bundleDirectly(bridge: string, changes: readonly FlowChange[]): Promise<BundleOutcome | null> {
    const messages: Buffer[] = [];
    for (const change of changes) {
      const message = encodeChange(change);
      if (message === null) return null;
      messages.push(message);
    }
    try {
      return await (await this.connections.to(bridge)).bundle(messages);
    } catch (error) {
      return error instanceof Silent ? "timedOut" : null;
    }
  }

  /** By ovs-ofctl, which knows every field and action, and says in words what Open vSwitch does not like. */
  private async bundleByProcess(bridge: string, changes: readonly FlowChange[]): Promise<Result<void>> {
    const lines = changes.map(formatChange);
    const output = await this.ofctl(bridge, ["--bundle"], "add-flows", ["-"], `${lines.join("\n")}\n`);
    if (output.ok) return ok(undefined);
    const { error } = output;
    const line = /^ovs-ofctl: -:(\d+): (.*)/m.exec(error.stderr);
    if (line) error.message = `${line[2]!}, in "${lines[Number(line[1]) - 1] ?? ""}"`;
    return output;
  }

  /** The bridge's flow tables with their number of flows and of packets. */
  async dumpTables(bridge: string): Promise<Result<TableStatistics[]>> {
    const output = await this.ofctl(bridge, [], "dump-tables", []);
    return output.ok ? ok(parseTables(output.value)) : output;
  }

  /** The bridge's OpenFlow ports with their configuration and state. */
  async dumpPorts(bridge: string): Promise<Result<OpenFlowPort[]>> {
    const output = await this.ofctl(bridge, ["--no-names"], "dump-ports-desc", []);
    return output.ok ? ok(parsePorts(output.value)) : output;
  }

  /**
   * Changes one flag of a port. `no-flood` exists in OpenFlow 1.0 only (later versions ignore it and report success), so
   * that version is used: it must be among the bridge's protocols. The flag is lost when ovs-vswitchd restarts.
   */
  async modPort(bridge: string, port: number | string, action: PortAction): Promise<Result<void>> {
    const output = await run(this.options, "ovs-ofctl", [
      "-O",
      "OpenFlow10",
      "--",
      "mod-port",
      target(this.options, bridge),
      String(port),
      action,
    ]);
    return output.ok ? ok(undefined) : output;
  }

  /** Whether FLOOD reaches the port. OpenFlow 1.0 only, as no-flood; an error if the bridge has no such port. */
  async isFlooded(bridge: string, port: number): Promise<Result<boolean>> {
    const args = ["-O", "OpenFlow10", "--no-names", "--", "dump-ports-desc", target(this.options, bridge)];
    const output = await run(this.options, "ovs-ofctl", args);
    if (!output.ok) return output;
    const found = parsePorts(output.value).find(({ number }) => number === port);
    return found
      ? ok(!found.config.includes("NO_FLOOD"))
      : fail(`ovs-ofctl dump-ports-desc ${bridge}`, `there is no port ${port}`);
  }

  /** A held connection that tells when the bridge's OpenFlow side goes away and comes back, and of changes of its flows. */
  monitor(bridge: string): ConnectionMonitor {
    return new ConnectionMonitor(bridge, this.connections, (on) =>
      watchByProcess(this.options, target(this.options, bridge), on),
    );
  }

  /** Ends the held connections. They do not keep the process alive; a call after this opens them again. */
  close(): void {
    this.connections.close();
  }

  private ofctl(
    bridge: string,
    flags: readonly string[],
    command: string,
    args: readonly string[],
    input?: string,
  ): Promise<Result<string>> {
    const all = ["-O", VERSIONS, ...flags, "--", command, target(this.options, bridge), ...args];
    return run(this.options, "ovs-ofctl", all, input);
  }
}

export type PortAction = "up" | "down" | "flood" | "no-flood" | "receive" | "no-receive" | "forward" | "no-forward";

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const each of stream) all.push(each);
  return all;
}

function nonEmpty(text: string): string[] {
  return text === "" ? [] : [text];
}
