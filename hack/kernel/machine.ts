/**
 * The command line of the virtual machine. Without KVM qemu translates each instruction: everything takes some ten times
 * as long. Called by the gate's kernel suite.
 */
import { accessSync, constants, readFileSync } from "node:fs";
import type { VmImage } from "./image";

export interface Machine {
  image: VmImage;
  /** ext4 disk whose main.mjs is run. */
  job: string;
  /** Where the job's results go, one JSON object per line; the last one has the job's exit code as `exit`. */
  results: string;
}

const PROGRAM = "qemu-system-x86_64";
const MEMORY = "2G";

/** The command that runs the job and ends. The job's output comes out on its standard output. */
export function machineCommand({ image, job, results }: Machine): [string, ...string[]] {
  const disk = (file: string): string[] => ["-drive", `file=${file},if=virtio,format=raw`];
  return [
    PROGRAM,
    // Translated, AVX costs more than it gives: programs that find none do without.
    ...["-accel", hasKvm() ? "kvm" : "tcg", "-cpu", hasKvm() ? "max" : "Nehalem", "-smp", "2", "-m", MEMORY],
    // -snapshot: nothing is ever written to the disks, so that several machines can share them.
    ...["-nodefaults", "-display", "none", "-nic", "none", "-no-reboot", "-snapshot"],
    ...["-serial", "stdio", "-serial", `file:${results}`],
    ...["-kernel", image.kernel, "-initrd", image.initrd],
    ...["-append", "console=ttyS0 root=/dev/vda rw init=/sbin/lab-init quiet panic=-1"],
    ...[...disk(image.root), ...disk(job)],
  ];
}

/** /dev/kvm alone says little: there are machines whose processor has no virtualization to give. */
export function hasKvm(): boolean {
  try {
    accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
    return /^flags\s*:.*\b(vmx|svm)\b/m.test(readFileSync("/proc/cpuinfo", "utf8"));
  } catch {
    return false;
  }
}
