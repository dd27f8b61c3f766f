/**
 * What has to be installed on the machine: found out first and reported at once; packages are installed by apt-get where
 * it is there. Called before anything else is done by hack/cluster, hack/image, the demo and the gate.
 */
import { execa } from "execa";
import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { binariesMissing } from "./binaries";
import type { Progress } from "./cache";
import { goProblem } from "./go";

/** What somebody is about to do. */
export type Purpose = "cluster" | "ovn" | "image" | "capture" | "kernel" | "metrics" | "gitops" | "inspection";

interface Requirement {
  /** A command on PATH, or absolute paths of which one has to exist. */
  command: string | string[];
  /** The Debian and Ubuntu package that has it. */
  package: string;
  purpose: Purpose;
  /** Done without where the distribution has no such package. */
  optional?: true;
}

const pluginDirectories = ["/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"];
const requirement = (purpose: Purpose, command: string | string[], name: string): Requirement => ({
  command,
  package: name,
  purpose,
});

/** Commands, not packages: a container runtime that came another way (say, with Docker's own packages) is as good. */
const REQUIREMENTS: Requirement[] = [
  requirement("cluster", "containerd", "containerd"),
  requirement("cluster", "ctr", "containerd"),
  requirement("cluster", "containerd-shim-runc-v2", "containerd"),
  requirement("cluster", "runc", "runc"),
  requirement(
    "cluster",
    pluginDirectories.map((directory) => `${directory}/host-local`),
    "containernetworking-plugins",
  ),
  requirement("cluster", "ovs-vswitchd", "openvswitch-switch"),
  requirement("cluster", "ovs-ofctl", "openvswitch-common"),
  requirement("cluster", "ethtool", "ethtool"),
  requirement("cluster", "ip", "iproute2"),
  requirement("cluster", "iptables-restore", "iptables"),
  requirement("cluster", "openssl", "openssl"),
  requirement("cluster", ["/bin/busybox"], "busybox-static"),
  requirement("ovn", "ovn-nbctl", "ovn-common"),
  requirement("ovn", "ovn-northd", "ovn-central"),
  requirement("ovn", "ovn-controller", "ovn-host"),
  requirement("image", "buildah", "buildah"),
  requirement("image", "mmdebstrap", "mmdebstrap"),
  requirement("kernel", "qemu-system-x86_64", "qemu-system-x86"),
  requirement("kernel", "mmdebstrap", "mmdebstrap"),
  requirement("kernel", "mke2fs", "e2fsprogs"),
  requirement("capture", "tshark", "tshark"),
  requirement("capture", "tcpdump", "tcpdump"),
  requirement("capture", "ping", "iputils-ping"),
  requirement("metrics", "promtool", "prometheus"),
  requirement("gitops", "git", "git"),
  requirement("inspection", "nft", "nftables"),
  { ...requirement("inspection", "suricata", "suricata"), optional: true },
];

/** Where the CNI project's own plugins are installed. */
export function cniPluginDirectory(): string {
  const found = pluginDirectories.find((directory) => existsSync(path.join(directory, "host-local")));
  if (found) return found;
  throw new Error(`The CNI plugin host-local is in none of ${pluginDirectories.join(", ")}`);
}

const SUPPORTED = ["debian 12", "debian 13", "ubuntu 24.04"];

export interface Prerequisites {
  /** Packages that apt-get can install now. */
  installable: string[];
  /** Sentences about what only the user can mend. */
  problems: string[];
}

/** What is missing for these purposes. Changes nothing. */
export async function checkPrerequisites(purposes: Purpose[]): Promise<Prerequisites> {
  const problems: string[] = [];
  const root = process.getuid?.() === 0;
  if (process.platform !== "linux") problems.push(`This needs Linux: network namespaces, cgroups and mounts.`);
  if (!root) problems.push("This needs root: it makes network namespaces, mounts and cgroups. Start it with sudo.");
  if (purposes.includes("cluster")) {
    if (!existsSync("/dev/net/tun")) problems.push("/dev/net/tun is missing: load the kernel module tun.");
    if (binariesMissing()) problems.push(...[await goProblem()].filter((problem) => problem !== undefined));
  }
  if (purposes.includes("kernel") && process.arch !== "x64")
    problems.push(`The virtual machine of the kernel suite is an x86-64 one, this machine is ${process.arch}.`);
  const wanted = REQUIREMENTS.filter(({ purpose, command }) => purposes.includes(purpose) && !isThere(command));
  const isMissing = await Promise.all(wanted.map(async (item) => item.optional !== true || (await isOffered(item))));
  const missing = wanted.filter((_, index) => isMissing[index]);
  const packages = [...new Set(missing.map((item) => item.package))].sort();
  if (packages.length === 0 || (root && (await aptIsSupported()))) return { installable: packages, problems };
  const commands = missing.map(({ command }) => (typeof command === "string" ? command : command[0]!));
  problems.push(`Missing: ${commands.join(", ")} (packages of Debian and Ubuntu: ${packages.join(" ")}).`);
  return { installable: [], problems };
}

/** Installs what `checkPrerequisites` found, without starting services and without removing any package. */
export async function installPrerequisites(packages: string[], progress: Progress = () => undefined): Promise<void> {
  if (packages.length === 0) return;
  await withoutStartingServices(async () => {
    progress(`apt-get install ${packages.join(" ")}`);
    if ((await aptGet("install", packages)).exitCode === 0) return;
    progress("apt-get update");
    await aptGet("update", []);
    const result = await aptGet("install", packages);
    if (result.exitCode !== 0)
      throw new Error(`apt-get install ${packages.join(" ")} failed:\n${result.all.split("\n").slice(-15).join("\n")}`);
  });
}

function aptGet(command: string, packages: string[]): Promise<{ exitCode?: number; all: string }> {
  // --no-remove: an installed container runtime is used, never replaced by Debian's.
  const options = command === "install" ? ["-y", "--no-install-recommends", "--no-remove"] : ["-q"];
  return execa("apt-get", [command, ...options, ...packages], {
    env: { DEBIAN_FRONTEND: "noninteractive" },
    stdin: "ignore",
    reject: false,
    all: true,
  });
}

/** Debian's own switch: packages ask policy-rc.d whether they may start their services; 101 means no. */
async function withoutStartingServices(work: () => Promise<void>): Promise<void> {
  const policy = "/usr/sbin/policy-rc.d";
  if (existsSync(policy)) return work();
  await writeFile(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    await work();
  } finally {
    await rm(policy, { force: true });
  }
}

async function isOffered(item: Requirement): Promise<boolean> {
  if (!(await aptIsSupported())) return false;
  const policy = await execa("apt-cache", ["policy", item.package], { reject: false, env: { LC_ALL: "C" } });
  return hasCandidate(policy.stdout);
}

/** Whether apt could install it, from the output of `apt-cache policy PACKAGE`. */
export function hasCandidate(policy: string): boolean {
  return /^ *Candidate: (?!\(none\))\S/m.test(policy);
}

async function aptIsSupported(): Promise<boolean> {
  if (!isThere("apt-get")) return false;
  return SUPPORTED.includes(distribution(await readFile("/etc/os-release", "utf8").catch(() => "")));
}

/** "debian 12" from the text of /etc/os-release. */
export function distribution(osRelease: string): string {
  const value = (key: string): string => new RegExp(`^${key}="?([^"\\n]*)"?$`, "m").exec(osRelease)?.[1] ?? "";
  return `${value("ID")} ${value("VERSION_ID")}`;
}

function isThere(command: string | string[]): boolean {
  if (typeof command !== "string") return command.some((file) => existsSync(file));
  return (process.env["PATH"] ?? "").split(":").some((directory) => existsSync(path.join(directory, command)));
}
