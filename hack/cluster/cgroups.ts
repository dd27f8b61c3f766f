/**
 * The cluster's cgroups, on cgroup v1 and v2. All below one cgroup named after the cluster: `system` with the control
 * plane, NODE-system with a node's programs, so that no process of theirs is ever lost, and NODE, the kubelet's root.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const ROOT = "/sys/fs/cgroup";
/** What containers are limited by in v2. kubelet ends if its root lacks one that the kernel has. */
const CONTROLLERS = ["cpuset", "cpu", "io", "memory", "hugetlb", "pids"];

export const CONTROL_PLANE = "system";
export const systemOf = (node: string): string => `${node}-system`;

const unified = (): boolean => existsSync(`${ROOT}/cgroup.controllers`);

/**
 * Mount points of the v1 hierarchies, from the text of /proc/mounts: the one that tracks processes first. The v2 hierarchy
 * beside them that has no controllers ("hybrid") is among them, because runc makes cgroups there, too.
 */
export function v1Hierarchies(mounts: string): string[] {
  const points = mounts
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([, point, type]) => /^cgroup2?$/.test(type ?? "") && point?.startsWith(`${ROOT}/`))
    .map(([, point]) => point!);
  const tracks = (point: string): number => ["pids", "systemd"].indexOf(path.basename(point)) >>> 0;
  return [...new Set(points)].sort((a, b) => tracks(a) - tracks(b));
}

function hierarchies(): string[] {
  if (unified()) return [ROOT];
  const points = v1Hierarchies(readFileSync("/proc/mounts", "utf8"));
  if (points.length === 0) throw new Error(`No cgroup hierarchy is mounted below ${ROOT}; containers need them.`);
  return points;
}

/** Makes the cgroups of a cluster with these nodes. */
export async function makeCgroups(cluster: string, nodes: string[]): Promise<void> {
  for (const hierarchy of hierarchies()) {
    if (unified()) await delegate(hierarchy);
    await make(path.join(hierarchy, cluster));
    if (unified()) await delegate(path.join(hierarchy, cluster));
    for (const name of [CONTROL_PLANE, ...nodes, ...nodes.map(systemOf)])
      await make(path.join(hierarchy, cluster, name));
  }
}

/** A process joins the group of a cluster by writing its id here. */
export function processesFile(cluster: string, group: string): string {
  return path.join(hierarchies()[0]!, cluster, group, "cgroup.procs");
}

/** Ids of all processes in a cgroup and below, containers included. */
export function processesIn(cgroup: string): number[] {
  const pids = new Set<number>();
  for (const hierarchy of hierarchies())
    for (const directory of tree(path.join(hierarchy, cgroup)))
      try {
        for (const pid of readFileSync(path.join(directory, "cgroup.procs"), "utf8").split("\n"))
          if (pid) pids.add(Number(pid));
      } catch {
        // The cgroup went away with its last container.
      }
  return [...pids];
}

/** Removes the cluster's cgroups, once their processes have ended. */
export async function removeCgroups(cluster: string): Promise<void> {
  for (const hierarchy of hierarchies())
    for (const directory of tree(path.join(hierarchy, cluster)).reverse()) await removeOne(directory);
}

async function removeOne(directory: string): Promise<void> {
  // A killed process stays in its cgroup until its parent has taken note.
  for (let attempt = 0; ; attempt++)
    try {
      await rmdir(directory);
      return;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") return;
      if (code !== "EBUSY" || attempt >= 100) throw error;
      await sleep(50);
    }
}

async function make(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  // In v1 a new cpuset has no processors and no memory, and nothing can run in it.
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    const own = path.join(directory, file);
    if (!unified() && existsSync(own) && (await readFile(own, "utf8")).trim() === "")
      await writeFile(own, await readFile(path.join(path.dirname(directory), file), "utf8"));
  }
}

/** Lets the children of a v2 cgroup have the controllers that containers use. */
async function delegate(directory: string): Promise<void> {
  const available = (await readFile(path.join(directory, "cgroup.controllers"), "utf8")).trim().split(" ");
  const file = path.join(directory, "cgroup.subtree_control");
  const enabled = (await readFile(file, "utf8")).trim().split(" ");
  const wanted = CONTROLLERS.filter((name) => available.includes(name) && !enabled.includes(name));
  if (wanted.length === 0) return;
  const enable = (): Promise<void> => writeFile(file, wanted.map((name) => `+${name}`).join(" "));
  try {
    await enable();
  } catch (error) {
    // Inside a container the top cgroup is not the kernel's: it may delegate only if it has no processes itself.
    if ((error as NodeJS.ErrnoException).code !== "EBUSY" || directory !== ROOT) throw error;
    await mkdir(path.join(ROOT, "init"), { recursive: true });
    for (const pid of (await readFile(path.join(ROOT, "cgroup.procs"), "utf8")).split("\n").filter(Boolean))
      await writeFile(path.join(ROOT, "init", "cgroup.procs"), pid).catch(() => undefined);
    await enable();
  }
}

/** The cgroup and all below it, parents first. */
function tree(directory: string): string[] {
  if (!existsSync(directory)) return [];
  const children = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [directory, ...children.flatMap((entry) => tree(path.join(directory, entry.name)))];
}
