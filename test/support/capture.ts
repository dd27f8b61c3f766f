/**
 * Captures packets on one device with tcpdump, with the kernel's time stamps and without losing any. Used by the lab
 * and the end-to-end tests, the benchmarks and the demo, each of which says how its namespaces are entered.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { decode } from "./decode";
import type { DecodeOptions, Packet } from "./decode";
import { pcapRecords } from "./pcap";
import type { PacketRecord } from "./pcap";

/** Starts a program somewhere, with its standard error piped to us. */
export type Launch = (command: string, args: string[]) => ChildProcess;

export interface CaptureOptions extends DecodeOptions {
  /** How the namespaces are entered: a command prefix such as ["ip", "netns", "exec", "lab-1"], or what starts a program there. */
  enter: string[] | Launch;
  device: string;
  /** In tcpdump's own language. */
  filter?: string;
}

/** Kernel buffer in KiB: a burst must not cost a packet while the machine is busy. */
const BUFFER_KIB = 16_384;
const START_TIMEOUT_MS = 60_000;
/** How long to wait for packets that should come. */
const ARRIVAL_TIMEOUT_MS = 10_000;

export class Capture {
  private constructor(
    private readonly options: CaptureOptions,
    private readonly process: ChildProcess,
    private readonly directory: string,
    private readonly stderr: () => string,
  ) {}

  /** Returns when the kernel has begun to capture. The capture ends with this process at the latest. */
  static async start(options: CaptureOptions): Promise<Capture> {
    const directory = mkdtempSync(path.join(tmpdir(), "capture-"));
    const [command, ...args] = [
      ...(typeof options.enter === "function" ? [] : options.enter),
      ...["setpriv", "--pdeathsig", "KILL"],
      ...["tcpdump", "--immediate-mode", "--time-stamp-precision=nano", "-Z", "root", "-U", "-n", "-s", "0"],
      ...["-B", String(BUFFER_KIB), "-i", options.device, "-w", path.join(directory, "packets.pcap")],
      ...(options.filter === undefined ? [] : [options.filter]),
    ];
    const launch: Launch =
      typeof options.enter === "function"
        ? options.enter
        : (program, rest) => spawn(program, rest, { stdio: ["ignore", "ignore", "pipe"] });
    const child = launch(command!, args);
    let stderr = "";
    child.on("error", ({ message }) => (stderr += message));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    const capture = new Capture(options, child, directory, () => stderr);
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (!stderr.includes("listening on")) {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null || Date.now() > deadline) {
        await capture.discard();
        throw new Error(`Capture on ${options.device} did not start: ${command} ${args.join(" ")}: ${stderr.trim()}`);
      }
      await sleep(5);
    }
    return capture;
  }

  /** What has been captured so far, undecoded: cheap enough for polling. */
  records(): PacketRecord[] {
    return pcapRecords(readFileSync(this.file));
  }

  get count(): number {
    return this.records().length;
  }

  /** Waits until this many packets have been captured. Gives up after a while: the assertion that follows says it better. */
  async reach(count: number, patienceMilliseconds = ARRIVAL_TIMEOUT_MS): Promise<void> {
    const deadline = Date.now() + patienceMilliseconds;
    while (this.count < count && Date.now() < deadline) await sleep(5);
  }

  /** What has been captured so far, decoded; the capture goes on. */
  packets(): Promise<Packet[]> {
    return decode(this.file, this.options);
  }

  /** Ends the capture and decodes it; throws if the kernel dropped a packet, because counts would be wrong. */
  async stop(settleMilliseconds = 200): Promise<Packet[]> {
    await sleep(settleMilliseconds);
    await this.drain();
    await this.end();
    try {
      const dropped = Number(/^(\d+) packets? dropped by kernel/m.exec(this.stderr())?.[1] ?? 0);
      if (dropped > 0) throw new Error(`The capture on ${this.options.device} lost ${dropped} packets.`);
      return await decode(this.file, this.options);
    } finally {
      rmSync(this.directory, { recursive: true, force: true });
    }
  }

  /** Ends the capture without looking at it. Harmless after stop. */
  async discard(): Promise<void> {
    await this.end();
    rmSync(this.directory, { recursive: true, force: true });
  }

  private get file(): string {
    return path.join(this.directory, "packets.pcap");
  }

  /**
   * Waits until tcpdump has written what the kernel holds for it: SIGINT would throw that away, unreported, and on a busy
   * machine it is behind. Asked by SIGUSR1 it says how far it is. It has caught up when both of its numbers are equal,
   * or, on the loopback device, where the kernel counts twice, when it has nothing new to say.
   */
  private async drain(): Promise<void> {
    let [last, same] = ["", 0];
    while (this.running && same < 3) {
      const from = this.stderr().length;
      this.process.kill("SIGUSR1");
      const said = await this.answerAfter(from);
      if (!said || said[1] === said[2]) return;
      same = said[0] === last ? same + 1 : 0;
      last = said[0];
      await sleep(20);
    }
  }

  private async answerAfter(from: number): Promise<RegExpExecArray | null> {
    const deadline = Date.now() + ARRIVAL_TIMEOUT_MS;
    while (this.running && Date.now() < deadline) {
      await sleep(2);
      const found = /(\d+) packets? captured, (\d+) packets? received by filter/.exec(this.stderr().slice(from));
      if (found) return found;
    }
    return null;
  }

  private get running(): boolean {
    const { pid, exitCode, signalCode } = this.process;
    return pid !== undefined && exitCode === null && signalCode === null;
  }

  private async end(): Promise<void> {
    if (!this.running) return;
    const exited = once(this.process, "exit");
    this.process.kill("SIGINT");
    await exited;
  }
}
