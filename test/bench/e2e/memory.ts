/** Resident memory of the operator's processes, from /proc. Used by main.ts. */
import { readFileSync, readdirSync } from "node:fs";
import type { Cluster } from "../../../hack/cluster";
import type { Measurement } from "./statistics";

/** What is in the command line of a component's process, apart from its Node. */
const COMPONENTS: Record<string, RegExp> = {
  controller: /\/app\/main\.js\0controller/,
  admission: /\/app\/main\.js\0admission/,
  "node programmer": /\/app\/node-programmer\.js/,
};

/** Mebibytes of each process of this cluster; other clusters of the machine run the same programs. */
export function memory(cluster: Cluster): Measurement[] {
  const processes = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => ({ command: read(pid, "cmdline"), status: read(pid, "status"), cgroup: read(pid, "cgroup") }))
    .filter(({ cgroup }) => cgroup.includes(`ovs-traffic-control-${cluster.name}/`));
  return Object.entries(COMPONENTS).map(([name, pattern]) => ({
    name: `memory (RSS) of a ${name}`,
    unit: "MiB",
    values: processes.filter(({ command }) => pattern.test(command)).map(({ status }) => residentMebibytes(status)),
  }));
}

function residentMebibytes(status: string): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? NaN) / 1024;
}

function read(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return ""; // The process has ended meanwhile.
  }
}
