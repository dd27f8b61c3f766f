/** Takes a cluster down: processes, namespaces (and with them mounts and devices), cgroups, state. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import path from "node:path";
import { withLock } from "../toolchain";
import { processesIn, removeCgroups } from "./cgroups";
import { namespaceInode, removeNamespace } from "./namespaces";
import { Places } from "./places";
import { killAll } from "./programs";

/** Also of a cluster that is only half there, or not at all. */
export async function down(name: string): Promise<void> {
  const places = new Places(name);
  await withLock(places.lock, {}, () => removeEverything(places));
}

/** The caller holds the cluster's lock. */
export async function removeEverything(places: Places): Promise<void> {
  const namespaces = await ownNamespaces(places);
  // Twice: a process that was just being started by one that was killed.
  for (let round = 0; round < 2; round++)
    await killAll(
      [...processesIn(places.cgroup), ...processesInNamespaces(namespaces), ...processesWithMounts(places)].filter(
        isNotMine,
      ),
    );
  for (const namespace of namespaces) await removeNamespace(namespace);
  await removeCgroups(places.cgroup);
  await rm(places.state, { recursive: true, force: true });
}

async function ownNamespaces({ machineNamespace }: Places): Promise<string[]> {
  const all = await readdir("/run/netns").catch(() => []);
  const node = /^-node-\d+$/;
  return all.filter(
    (name) =>
      name.startsWith(machineNamespace) &&
      (name === machineNamespace || node.test(name.slice(machineNamespace.length))),
  );
}

/** Whoever was started in there by `host` and `exec`, or joined by other means. */
function processesInNamespaces(namespaces: string[]): number[] {
  const inodes = new Set(namespaces.map(namespaceInode).filter((inode) => inode !== undefined));
  return processesThat((directory) => inodes.has(statSync(`${directory}/ns/net`).ino));
}

/** Whoever sees a node's file system: also containers, wherever their cgroup is, and what has lost its namespaces' names. */
function processesWithMounts({ state }: Places): number[] {
  const folder = path.join(...state.split(path.sep).slice(-3), "/");
  return processesThat((directory) => readFileSync(`${directory}/mountinfo`, "utf8").includes(`/${folder}`));
}

function processesThat(match: (directory: string) => boolean): number[] {
  const all = readdirSync("/proc").filter((entry) => /^\d+$/.test(entry));
  const matching = all.filter((pid) => {
    try {
      return match(`/proc/${pid}`);
    } catch {
      return false; // It has ended, or is none of ours: those we may look at.
    }
  });
  return matching.map(Number);
}

/** Not this process, nor those that it runs below. */
function isNotMine(pid: number): boolean {
  for (let own = process.pid; own > 1; own = parent(own)) if (own === pid) return false;
  return true;
}

function parent(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}
