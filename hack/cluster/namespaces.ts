/** Network namespaces, and command lines that run something inside a cluster. */
import { execa } from "execa";
import { existsSync, statSync } from "node:fs";
import path from "node:path";

const namespaceFile = (name: string): string => path.join("/run/netns", name);

export async function addNamespace(name: string): Promise<void> {
  if (!existsSync(namespaceFile(name))) await execa("ip", ["netns", "add", name]);
}

export async function removeNamespace(name: string): Promise<void> {
  if (existsSync(namespaceFile(name))) await execa("ip", ["netns", "delete", name]);
}

/** Whether the name stands for a network namespace, not for a file that a crash has left. */
export function namespaceExists(name: string): boolean {
  return namespaceInode(name) !== undefined;
}

/** What identifies the namespace in /proc/PID/ns/net. */
export function namespaceInode(name: string): number | undefined {
  const file = statSync(namespaceFile(name), { throwIfNoEntry: false });
  const ownFilesystem = statSync("/proc/self/ns/net").dev;
  return file?.dev === ownFilesystem ? file.ino : undefined;
}

/**
 * The command line that runs `argv` in a network namespace and, if `mountsOf` is a process id, in that process's mount
 * namespace. Not `ip netns exec`, which hides the cgroup mounts and keeps `ip netns add` inside from showing outside.
 */
export function inside(network: string, mountsOf: number | undefined, argv: string[]): [string, ...string[]] {
  const mounts = mountsOf === undefined ? [] : [`--mount=/proc/${mountsOf}/ns/mnt`];
  return ["nsenter", `--net=${namespaceFile(network)}`, ...mounts, "--", ...argv];
}

/** Runs a script of `sh` in a network namespace. */
export async function script(network: string, mountsOf: number | undefined, text: string): Promise<void> {
  const [file, ...args] = inside(network, mountsOf, ["sh", "-euc", text]);
  await execa(file, args, { stdin: "ignore" });
}
