/** Resident memory of the operator's processes, from /proc. Used by main.ts. */
import { readFileSync, readdirSync, readlinkSync, statSync } from "node:fs";
import type { Cluster } from "../../../hack/cluster";
import type { Measurement } from "./statistics";

/** What is in the command line of a component's process. */
const COMPONENTS: Record<string, RegExp> = {
  controller: /\/app\/main\.js\0controller/,
  "admission server": /\/app\/main\.js\0admission/,
  "node programmer": /\/app\/node-programmer\.js/,
};

/** Mebibytes of each process of this cluster. */
export function memory(cluster: Cluster): Measurement[] {
  const networks = new Set(cluster.nodes.map((node) => statSync(`/run/netns/${cluster.nodeNamespace(node)}`).ino));
  const processes = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => ({ command: read(pid, "cmdline"), status: read(pid, "status") }));
  return Object.entries(COMPONENTS).map(([name, pattern]) => {
    const values = processes
      .filter(({ command, status }) => pattern.test(command) && networks.has(network(parent(status))))
      .map(({ status }) => residentMebibytes(status));
    if (values.length === 0) throw new Error(`No process of the ${name} has been found.`);
    return { name: `memory (RSS): ${name}`, unit: "MiB", values };
  });
}

/**
 * The process id of the container's shim, which is in the network namespace of the node: so the process is told from
 * one of another cluster on the machine.
 */
function parent(status: string): string {
  return /PPid:\s+(\d+)/.exec(status)?.[1] ?? "";
}

/** Inode of a process's network namespace. */
function network(pid: string): number {
  try {
    return Number(/\d+/.exec(readlinkSync(`/proc/${pid}/ns/net`))?.[0]);
  } catch {
    return NaN; // The process has ended meanwhile.
  }
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
