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

/** Where something runs. */
export interface Whereabouts {
  /** Network namespace. */
  network: string;
  /** A process whose mount namespace is shared. */
  mountsOf?: number;
}

/**
 * The command line that runs `argv` there. Not by `ip netns exec`, which hides the cgroup mounts and keeps `ip netns add`
 * inside from showing outside.
 */
export function inside({ network, mountsOf }: Whereabouts, argv: string[]): [string, ...string[]] {
  const mounts = mountsOf === undefined ? [] : [`--mount=/proc/${mountsOf}/ns/mnt`];
  return ["nsenter", `--net=${namespaceFile(network)}`, ...mounts, "--", ...argv];
}

/** Runs a command there and gives its output; throws with what it was for and its own words. */
export async function run(what: string, where: Whereabouts, argv: string[]): Promise<string> {
  const [file, ...args] = inside(where, argv);
  const result = await execa(file, args, { stdin: "ignore", reject: false });
  if (result.exitCode === 0) return result.stdout;
  const words = result.stderr.trim() || result.originalMessage || "no message";
  throw new Error(`${what} (in ${where.network}) ended with ${String(result.exitCode ?? result.signal)}: ${words}`);
}

/** Runs lines of `sh`, up to the first that fails. */
export async function script(what: string, where: Whereabouts, text: string): Promise<void> {
  await run(what, where, ["sh", "-euc", text]);
}
