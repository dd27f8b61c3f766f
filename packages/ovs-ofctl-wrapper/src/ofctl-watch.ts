/**
 * Flow events by a held `ovs-ofctl monitor` process: where Open vSwitch or the bridge's `protocols` have no flow monitors of
 * OpenFlow 1.5. Called by ConnectionMonitor.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { FlowEvent, Watcher } from "./monitor";
import { environment } from "./run";
import type { OvsOptions } from "./result";

/**
 * The first that Open vSwitch and the bridge can do. Before 3.0 only Nicira's extension of OpenFlow 1.0 watches flows.
 * Not all in one list: 2.17 would choose 1.5, and fail.
 */
const VERSIONS = ["OpenFlow13,OpenFlow14,OpenFlow15", "OpenFlow10"] as const;

/** Starts the process; the function ends it. */
export function watchByProcess(options: OvsOptions, target: string, on: Watcher): () => void {
  let [stop, stopped] = [(): unknown => undefined, false];
  const start = ([versions, ...others]: readonly string[]): void => {
    let wasUp = false;
    const up = (): void => {
      wasUp = true;
      on.up();
    };
    const end = (reason: string): void => {
      if (stopped) return;
      if (wasUp || others.length === 0) on.end(reason);
      else start(others);
    };
    stop = startProcess(options, target, versions!, { ...on, up, end });
  };
  start(VERSIONS);
  return () => {
    stopped = true;
    stop();
  };
}

function startProcess(options: OvsOptions, target: string, versions: string, on: Watcher): () => unknown {
  const args = ["-O", versions, "--no-names", "--unixctl=none", "--", "monitor", target, "watch:!initial"];
  const child = spawn("ovs-ofctl", args, { env: environment(options), stdio: ["ignore", "pipe", "pipe"] });
  let last = "the connection was closed";
  // The answer to the monitor request is printed to standard output, later messages to standard error.
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line.includes("FLOW_MONITOR reply")) on.up();
  });
  createInterface({ input: child.stderr }).on("line", (line) => {
    const event = parseFlowEvent(line);
    if (event) on.flow(event);
    else if (line.startsWith("ovs-ofctl:")) last = line;
  });
  child.once("error", (error) => (last = error.message));
  child.once("close", () => {
    on.end(last);
  });
  return () => child.kill();
}

/** One event line of `ovs-ofctl monitor BR watch:`; null for any other line. */
export function parseFlowEvent(line: string): FlowEvent | null {
  const found = /^ *event=(ADDED|DELETED|MODIFIED)(?: reason=(\w+))? table=(\d+)(?: \w+=\d+)* cookie=(\w+)/.exec(line);
  if (!found) return null;
  const event: FlowEvent = {
    event: found[1] as FlowEvent["event"],
    table: Number(found[3]),
    cookie: BigInt(found[4]!),
  };
  if (found[2]) event.reason = found[2];
  return event;
}
