/** tcpdump in a namespace, and what it has caught as packets. Used by tests through Lab.capture. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { decode } from "./decode";
import type { DecodeOptions, Packet } from "./decode";
import { within } from "./command";

/** Time for the last packets to arrive at the capturing socket and in the file, in milliseconds. */
const SETTLE = 150;

export class Capture {
  private constructor(
    private readonly child: ChildProcess,
    private readonly file: string,
  ) {}

  /** Returns once packets are being caught. `filter` is one of pcap-filter(7). */
  static start(namespace: string, device: string, file: string, filter: string): Promise<Capture> {
    // Without --immediate-mode packets arrive late; with -Z root tcpdump may write where it is told to.
    const args = [
      "--immediate-mode",
      "-U",
      "-n",
      "-Z",
      "root",
      "-i",
      device,
      "-w",
      file,
      ...filter.split(" ").filter(Boolean),
    ];
    const child = spawn("ip", within(namespace, "tcpdump", args), { stdio: ["ignore", "ignore", "pipe"] });
    return new Promise((resolve, reject) => {
      let said = "";
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        said += text;
        if (said.includes("listening on")) resolve(new Capture(child, file));
      });
      child.once("exit", () => {
        reject(new Error(`tcpdump on ${device} in ${namespace}: ${said}`));
      });
      child.once("error", reject);
    });
  }

  /** Ends the capture and decodes it. */
  async stop(options: DecodeOptions = {}): Promise<Packet[]> {
    await new Promise((resolve) => setTimeout(resolve, SETTLE));
    if (this.child.exitCode === null) {
      // A background process may have SIGINT ignored; SIGTERM ends tcpdump as cleanly.
      this.child.kill("SIGTERM");
      await new Promise((resolve) => this.child.once("exit", resolve));
    }
    return decode(this.file, options);
  }
}
