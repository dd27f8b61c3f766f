/** Flow events by a held `ovs-ofctl monitor` process: for bridges whose `protocols` leave OpenFlow 1.5 out. Called by ConnectionMonitor. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { FlowEvent, Watcher } from "./monitor";
import { environment } from "./run";
import type { OvsOptions } from "./result";

/** Starts the process; the function ends it. */
export function watchByProcess(options: OvsOptions, target: string, versions: string, on: Watcher): () => void {
  const args = ["-O", versions, "--no-names", "--unixctl=none", "--", "monitor", target, "watch:!initial"];
  const child = spawn("ovs-ofctl", args, { env: environment(options), stdio: ["ignore", "pipe", "pipe"] });
  let last = "the connection was closed";
  let stopped = false;
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
    if (!stopped) on.end(last);
  });
  return () => {
    stopped = true;
    child.kill();
  };
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
