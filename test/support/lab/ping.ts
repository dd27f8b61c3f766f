/** Pings whose packets can be counted exactly. Used by LabPod. */
import { attempt, within } from "./command";

export interface PingOptions {
  count?: number;
  /** Bytes of payload, 16-1400: tells the packets of one ping from those of another in a capture. 56 if absent. */
  size?: number;
}

export interface PingResult {
  sent: number;
  received: number;
  /** Answers that came twice: a loop, or a packet that was not only copied but delivered again. */
  duplicates: number;
}

/** Sends `count` echo requests, 5 ms apart, and waits up to a second for the last answers. */
export async function ping(namespace: string, address: string, options: PingOptions = {}): Promise<PingResult> {
  const { count = 5, size = 56 } = options;
  const args = ["-n", "-q", "-c", String(count), "-i", "0.005", "-W", "1", "-s", String(size), address];
  const { stdout, stderr } = await attempt("ip", within(namespace, "ping", args));
  const found = /(\d+) packets transmitted, (\d+) received(?:, \+(\d+) duplicates)?/.exec(stdout);
  if (!found) throw new Error(`ping ${args.join(" ")} in ${namespace} said:\n${stdout}${stderr}`);
  return { sent: Number(found[1]), received: Number(found[2]), duplicates: Number(found[3] ?? 0) };
}
