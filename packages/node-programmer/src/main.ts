/**
 * Entry of the process in the Job: `node-programmer.js`, or `node-programmer.js --plan FILE [--status FILE] [--once]`
 * without Kubernetes. Reads the environment, here and nowhere else.
 */
import { writeSync } from "node:fs";
import { EXIT } from "@ovs-traffic-control/api";
import { FilePlan, FileStatus } from "./file-plan";
import { KubernetesPlan, inCluster } from "./kubernetes";
import { runProgrammer } from "./programmer";
import type { Log, PlanSource, StatusSink } from "./options";

/** One JSON object per line; synchronous, so that the last words of a dying process are not lost. */
const log: Log = (level, message, fields = {}) => {
  writeSync(1, `${JSON.stringify({ time: new Date().toISOString(), level, message, ...fields })}\n`);
};

function argument(name: string): string | undefined {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
}

/** Seconds of an environment variable, which is for tests and for who wants fresher figures, as an option in milliseconds. */
function interval<Option extends string>(option: Option, variable: string): Partial<Record<Option, number>> {
  const seconds = Number(process.env[variable]);
  return seconds > 0 ? ({ [option]: seconds * 1000 } as Record<Option, number>) : {};
}

function endpoints(): { planSource: PlanSource; statusSink: StatusSink } {
  const file = argument("--plan");
  if (file !== undefined) {
    const status = argument("--status");
    return {
      planSource: new FilePlan(file),
      statusSink: status === undefined ? { write: () => Promise.resolve() } : new FileStatus(status),
    };
  }
  const node = process.env["NODE_NAME"];
  if (node === undefined || node === "") throw new Error("NODE_NAME is not set; it names the plan to follow.");
  const plan = new KubernetesPlan(inCluster(), node, log);
  return { planSource: plan, statusSink: plan };
}

const stop = new AbortController();
for (const signal of ["SIGTERM", "SIGINT"] as const)
  process.once(signal, () => {
    log("info", `${signal}: ending; what is tapped stays tapped`);
    stop.abort();
  });
process.on("uncaughtException", (error) => {
  log("error", `a bug: ${error.message}`, { stack: error.stack });
  process.exit(EXIT.bug);
});

const nodeUID = process.env["NODE_UID"];
const code = await runProgrammer({
  ...endpoints(),
  log,
  runDir: process.env["OVS_RUNDIR"] ?? "/run/openvswitch",
  netnsDir: process.env["NETNS_DIR"] ?? "/run/netns",
  lingerSeconds: Number(process.env["LINGER_SECONDS"] ?? 300),
  once: process.argv.includes("--once"),
  signal: stop.signal,
  ...interval("auditInterval", "AUDIT_SECONDS"),
  ...interval("counterInterval", "COUNTER_SECONDS"),
  ...(nodeUID === undefined || nodeUID === "" ? {} : { nodeUID }),
});
process.exit(code);
