/** The bridges that concern us: what each one is, and our flows on it. Owned by the reconciler. */
import { ok } from "ovs-ofctl-wrapper";
import type { Appctl, FlowEntry, OpenFlow, Result } from "ovs-ofctl-wrapper";
import type { Mirrors } from "../mirrors";
import { bridgeOf, isOvn, kindOfBridge, pipelineOf } from "../ovs";
import type { BridgeKind, BridgeView, OvsView } from "../ovs";
import { LOGICAL_TO_PHYSICAL, OWN_COOKIE, OWN_COOKIE_MASK, compile, isOurs } from "../pipeline";
import type { BridgeInput, Pipeline } from "../pipeline";
import { BridgeFlows } from "./bridge-flows";

export interface BridgeOutcome {
  name: string;
  kind: BridgeKind["kind"];
  datapath: string;
  flows: number;
  message?: string;
}

export interface BridgesWorld {
  openflow: OpenFlow;
  appctl: Appctl;
  mirrors: Mirrors;
  view: () => OvsView;
  /** Asked before each bundle: an error if this node is somebody else's by now. A pass can take long, OpenFlow has no lock. */
  mayWrite: () => Promise<Result<unknown>>;
  /** Something happened that a new pass has to look at; `audit`: also at the flows themselves. */
  wake: (why: string, audit: boolean) => void;
  /** ovs-vswitchd has been away and is back. */
  restarted: () => void;
  /** All our flows on a bridge as they are now, with their counters: none if they are lost. */
  seen: (bridge: string, ours: readonly FlowEntry[]) => void;
}

interface Known {
  flows: BridgeFlows;
  /** null until its flows have been read. */
  kind: BridgeKind | null;
}

export class Bridges {
  private readonly known = new Map<string, Known>();
  /** Bridge → OpenFlow ports on which no-flood is set. */
  private readonly unflooded = new Map<string, Set<number>>();

  constructor(private readonly world: BridgesWorld) {}

  /** Forgets everything: there is nothing of ours left, or the process ends. */
  close(): void {
    for (const { flows } of this.known.values()) flows.close();
    this.known.clear();
  }

  /** The node is somebody else's: what may have come too late goes. */
  async withdraw(): Promise<void> {
    await Promise.all([...this.known.values()].map(({ flows }) => flows.withdraw()));
  }

  /** The lock was somebody else's for a while. */
  takeAgain(): void {
    for (const { flows } of this.known.values()) flows.takeAgain();
  }

  kinds(): Map<string, BridgeKind> {
    return new Map([...this.known].flatMap(([name, { kind }]) => (kind ? [[name, kind] as const] : [])));
  }

  /** Those with flows of ours before those with Mirror rows: a port there can be reached from the others. */
  homes(): string[] {
    const programmed = [...this.known].map(([name, { kind }]) => ({ name, pipeline: pipelineOf(kind ?? undefined) }));
    const rank = (pipeline: Pipeline | null): number => (pipeline === "MirrorRows" ? 1 : 0);
    return programmed
      .filter(({ pipeline }) => pipeline !== null)
      .sort((a, b) => rank(a.pipeline) - rank(b.pipeline) || (a.name < b.name ? -1 : 1))
      .map(({ name }) => name);
  }

  /** It has flows of ours: packets can be redirected on it, or be led on to a port of it. */
  hasFlows(name: string): boolean {
    const pipeline = pipelineOf(this.known.get(name)?.kind ?? undefined);
    return pipeline !== null && pipeline !== "MirrorRows";
  }

  /** A bridge whose OpenFlow side was there and is gone: ovs-vswitchd is restarting, or the bridge was deleted. */
  lost(): string | undefined {
    const view = this.world.view();
    return [...this.known].find(([name, { flows }]) => !flows.reachable && bridgeOf(view, name))?.[0];
  }

  /** Gets to know bridges; answers with our flows on those that are new, and tells which could not be read. */
  async meet(names: Iterable<string>): Promise<{ ours: FlowEntry[]; failures: string[] }> {
    const ours: FlowEntry[] = [];
    const failures: string[] = [];
    await Promise.all(
      [...names].map(async (name) => {
        if (this.known.get(name)?.kind) return;
        if (!this.known.has(name)) this.known.set(name, { flows: this.flowsOf(name), kind: null });
        const own = await this.look(name);
        if (own === null) failures.push(`Bridge ${name}: its flows cannot be read; is ovs-vswitchd running?`);
        else ours.push(...own);
      }),
    );
    return { ours, failures };
  }

  /** Reads all flows again, so that the next pass repairs what others have done. */
  async audit(): Promise<void> {
    await Promise.all([...[...this.known.keys()].map((name) => this.look(name)), this.world.mirrors.count()]);
  }

  /** Bridges without work that carry flows of a former run: the next pass cleans them. True if there are any. */
  async findLeftovers(): Promise<boolean> {
    const filter = { cookie: OWN_COOKIE, cookieMask: OWN_COOKIE_MASK };
    const found = await Promise.all(
      this.world.view().bridges.map(async ({ name }) => {
        if (this.known.has(name)) return false;
        const own = await this.world.openflow.dumpFlows(name, filter);
        if (!own.ok || own.value.length === 0) return false;
        this.known.set(name, { flows: this.flowsOf(name), kind: null });
        return true;
      }),
    );
    return found.includes(true);
  }

  /** Brings every known bridge to its input, or, without one, to nothing of ours. */
  async program(
    inputs: ReadonlyMap<string, BridgeInput>,
  ): Promise<{ outcomes: BridgeOutcome[]; changes: number; repairs: number; failures: string[] }> {
    const view = this.world.view();
    const failures: string[] = [];
    let [changes, repairs] = [0, 0];
    const program = async ([name, { flows, kind }]: [string, Known]): Promise<BridgeOutcome> => {
      const input = inputs.get(name);
      const wanted = input ? compile(input) : [];
      const what = { name, kind: kind?.kind ?? ("Unknown" as const), datapath: bridgeOf(view, name)?.datapath ?? "" };
      const away = input ? portsToSpare(input) : [];
      // A number that is not ours any more can be somebody else's next.
      for (const port of this.unfloodedOn(name)) if (!away.includes(port)) this.unfloodedOn(name).delete(port);
      if (kind?.floods) await this.keepFloodsAway(name, away);
      const rows = await this.mirror(bridgeOf(view, name), input);
      const applied = rows.ok ? await flows.apply(wanted, rows.value.changes > 0) : rows;
      // Somebody's first FLOOD flow makes a loop through a device, which must not go on until the next audit sees it. An
      // adopted port is left as it is until then: there is a loop without us, too.
      const guarded = input?.redirection ? this.keepFloodsAway(name, away.filter(ownedOn(view, name))) : null;
      const isChanged = applied.ok && rows.ok && applied.value + rows.value.changes > 0;
      const settled = isChanged ? await flows.settle(wanted) : applied;
      await guarded;
      const error = applied.ok ? (settled.ok ? null : settled.error) : applied.error;
      if (rows.ok) changes += rows.value.changes;
      if (applied.ok) changes += applied.value;
      if ((applied.ok && flows.takeRepair()) || (rows.ok && rows.value.repaired)) repairs += 1;
      if (error) failures.push(`Bridge ${name}: ${error.message}`);
      const message = error?.message ?? kind?.message;
      return { ...what, flows: error ? 0 : wanted.length, ...(message === undefined ? {} : { message }) };
    };
    // A Pod's bridge sends nothing on before the bridges on the way know what to do with it.
    const [onTheWay, others] = split([...this.known], ([name]) => isOnTheWay(inputs.get(name)));
    const outcomes = await Promise.all(onTheWay.map(program));
    outcomes.push(...(await Promise.all(others.map(program))));
    return { outcomes: outcomes.sort((a, b) => (a.name < b.name ? -1 : 1)), changes, repairs, failures };
  }

  private mirror(
    bridge: BridgeView | undefined,
    input: BridgeInput | undefined,
  ): ReturnType<Mirrors["apply"]> | Result<{ changes: number; repaired: boolean }> {
    return bridge ? this.world.mirrors.apply(bridge, input) : ok({ changes: 0, repaired: false });
  }

  /** Forgets bridges that do not exist any more. */
  forgetGone(): void {
    const view = this.world.view();
    for (const [name, { flows }] of this.known) {
      if (bridgeOf(view, name)) continue;
      flows.close();
      this.known.delete(name);
      this.unflooded.delete(name);
    }
  }

  private unfloodedOn(bridge: string): Set<number> {
    const ports = this.unflooded.get(bridge) ?? new Set<number>();
    this.unflooded.set(bridge, ports);
    return ports;
  }

  /** Our flows on the bridge; null if they cannot be read. */
  private async look(name: string): Promise<FlowEntry[] | null> {
    const known = this.known.get(name);
    const view = this.world.view();
    const bridge = bridgeOf(view, name);
    if (!known || !bridge) return null;
    const dump = isOvn(view, name) ? await this.lookAtOvn(known.flows, name) : await known.flows.look();
    if (!dump.ok) return null;
    // No foreign flow at all: just restarted, and its owner has not come back yet. What it was, it will be.
    const ours = dump.value.filter((flow) => isOurs(flow.cookie));
    const wiped = ours.length === dump.value.length;
    if (!wiped || !known.kind) known.kind = kindOfBridge(view, bridge, dump.value);
    this.world.seen(name, ours);
    return ours;
  }

  /** Ours, and those that say which port has which keys: OVN may have a hundred thousand others. */
  private async lookAtOvn(flows: BridgeFlows, name: string): Promise<Result<FlowEntry[]>> {
    const [ours, output] = await Promise.all([
      flows.look({ cookie: OWN_COOKIE, cookieMask: OWN_COOKIE_MASK }),
      this.world.openflow.dumpFlows(name, { table: LOGICAL_TO_PHYSICAL }),
    ]);
    if (!ours.ok) return ours;
    return output.ok ? ok([...ours.value, ...output.value.filter(({ cookie }) => !isOurs(cookie))]) : output;
  }

  /**
   * FLOOD ignores VLANs, and so our ports' isolation; no-flood is for it. It costs a process per port and is lost at each
   * restart of ovs-vswitchd, so it is set only where somebody floods, and for redirects.
   */
  private async keepFloodsAway(bridge: string, ports: readonly number[]): Promise<void> {
    for (const port of ports) {
      if (this.unfloodedOn(bridge).has(port)) continue;
      const done = await this.world.openflow.modPort(bridge, port, "no-flood");
      if (done.ok) this.unfloodedOn(bridge).add(port);
    }
  }

  private flowsOf(name: string): BridgeFlows {
    return new BridgeFlows(name, this.world.openflow, this.world.appctl, this.world.mayWrite, {
      restored: () => {
        this.unflooded.clear();
        this.world.restarted();
        this.world.wake(`the OpenFlow connection of bridge ${name} is back`, false);
      },
      emptied: () => {
        this.world.seen(name, []);
      },
      disturbed: () => {
        this.world.wake(`somebody has changed our flows on bridge ${name}`, true);
      },
      changed: (table) => {
        if (table === LOGICAL_TO_PHYSICAL && this.known.get(name)?.kind?.kind === "OVN")
          this.world.wake(`OVN has bound or released a port on bridge ${name}`, true);
      },
    });
  }
}

/** Packets only pass through it. */
function isOnTheWay(input: BridgeInput | undefined): boolean {
  return input !== undefined && input.relays.length > 0 && input.pods.length === 0;
}

function split<T>(values: readonly T[], isFirst: (value: T) => boolean): [T[], T[]] {
  return [values.filter(isFirst), values.filter((value) => !isFirst(value))];
}

function portsToSpare({ silentPorts, relays, redirection }: BridgeInput): number[] {
  return [...new Set([...silentPorts, ...relays.map(({ from }) => from), ...(redirection?.returns ?? [])])];
}

function ownedOn(view: OvsView, bridge: string): (ofport: number) => boolean {
  const own = (bridgeOf(view, bridge)?.ports ?? []).filter(({ ours }) => ours);
  const numbers = new Set(own.flatMap(({ interfaces }) => interfaces.map(({ ofport }) => ofport)));
  return (ofport) => numbers.has(ofport);
}
