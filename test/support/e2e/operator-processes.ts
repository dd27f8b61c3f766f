/** The operator's processes on this machine, from /proc: told from those of another cluster by the node they are on. Used by tests and benchmarks. */
import { readFileSync, readdirSync, readlinkSync, statSync } from "node:fs";
import type { Cluster } from "../../../hack/cluster";

/** What is in the command line of a component's process. */
const COMMANDS = {
  controller: /\/app\/main\.js\0controller/,
  admission: /\/app\/main\.js\0admission/,
  programmer: /\/app\/node-programmer\.js/,
};

export type Component = keyof typeof COMMANDS;

export interface OperatorProcess {
  component: Component;
  pid: number;
  /** Name of its Pod; of its node, for a programmer, which is in the host's network. */
  host: string;
  /** Resident memory. */
  mebibytes: number;
}

export function operatorProcesses(cluster: Cluster): OperatorProcess[] {
  const networks = new Set(cluster.nodes.map((node) => statSync(`/run/netns/${cluster.nodeNamespace(node)}`).ino));
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    const command = read(pid, "cmdline");
    const found = Object.entries(COMMANDS).find(([, pattern]) => pattern.test(command));
    if (!found) return [];
    const status = read(pid, "status");
    // The container's shim is in the network of its node, whatever network the container has.
    if (!networks.has(network(parent(status)))) return [];
    const component = found[0] as Component;
    const variable = component === "programmer" ? "NODE_NAME" : "HOSTNAME";
    const host = new RegExp(`(?:^|\\0)${variable}=([^\\0]*)`).exec(read(pid, "environ"))?.[1] ?? "";
    return [{ component, pid: Number(pid), host, mebibytes: resident(status) }];
  });
}

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

function resident(status: string): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? NaN) / 1024;
}

function read(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return ""; // The process has ended meanwhile.
  }
}
