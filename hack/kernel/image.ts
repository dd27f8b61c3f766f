/**
 * The virtual machine's disk and kernel: Debian bookworm with the kernel modules that a developer's machine may lack
 * (openvswitch, geneve, vxlan, gre, erspan), Open vSwitch, and what the packet tests call. Made once, kept in the cache.
 */
import { execa } from "execa";
import { readFileSync } from "node:fs";
import { chmod, copyFile, readdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { NODE_VERSION, SLIM, debootstrap, nodeBinary, sources } from "../image";
import { type CachedTool, type Progress, cached } from "../toolchain";

const PACKAGES = [
  ...["linux-image-cloud-amd64", "openvswitch-switch", "iproute2", "kmod", "procps"],
  ...["tcpdump", "tshark", "ethtool", "iputils-ping", "nftables"],
];
const OPTIONS = ["--variant=minbase", ...SLIM, `--aptopt=Apt::Install-Recommends "false"`];
const INIT = readFileSync(path.join(import.meta.dirname, "init.sh"), "utf8");
/** MiB of the root disk; what is written to it is thrown away. */
const SIZE = 1500;

export interface VmImage {
  kernel: string;
  initrd: string;
  /** Raw ext4. */
  root: string;
}

const image: CachedTool = {
  tool: "kernel-vm",
  version: `bookworm-node${NODE_VERSION}`,
  recipe: [...OPTIONS, ...PACKAGES, ...sources, INIT, SIZE].join("\n"),
  build: async (into, scratch, progress) => {
    progress("Virtual machine: Debian bookworm by mmdebstrap");
    const root = path.join(scratch, "root");
    await debootstrap([...OPTIONS, `--include=${PACKAGES.join(",")}`], root, scratch);
    await copyFile(await nodeBinary(scratch), path.join(root, "usr/local/bin/node"));
    await writeFile(path.join(root, "sbin/lab-init"), INIT);
    await chmod(path.join(root, "sbin/lab-init"), 0o755);
    await moveFromBoot(root, "vmlinuz", into);
    await moveFromBoot(root, "initrd.img", into);
    progress("Virtual machine: its disk");
    await makeDisk(root, path.join(into, "root.img"), SIZE);
  },
};

/** The virtual machine's files, built now if they are not there yet. */
export async function vmImage(progress: Progress): Promise<VmImage> {
  const directory = await cached(image, progress);
  const file = (name: string): string => path.join(directory, name);
  return { kernel: file("vmlinuz"), initrd: file("initrd.img"), root: file("root.img") };
}

/** An ext4 disk with the folder's content. */
export async function makeDisk(folder: string, disk: string, megabytes: number): Promise<void> {
  await execa("truncate", ["--size", `${megabytes}M`, disk]);
  await execa("mke2fs", ["-q", "-t", "ext4", "-d", folder, disk]);
}

async function moveFromBoot(root: string, name: string, into: string): Promise<void> {
  const boot = path.join(root, "boot");
  const found = (await readdir(boot)).find((file) => file.startsWith(`${name}-`));
  if (!found) throw new Error(`The package linux-image-cloud-amd64 has put no ${name} into /boot.`);
  await copyFile(path.join(boot, found), path.join(into, name));
  await rm(path.join(boot, found));
}
