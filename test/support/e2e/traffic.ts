/** Traffic that can be counted to the packet, and which copies belong to it. Used by the end-to-end tests and the demo. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Frame, Packet } from "../decode";
import { eventually } from "./eventually";
import type { Pod } from "./pods";

const ECHO_REQUEST = 8;
const ECHO_REPLY = 0;

/** Sends echo requests, 200 a second, and fails if one is not answered. */
export async function ping(from: Pod, to: string, count: number): Promise<void> {
  const output = await from.run(`busybox ping -q -c ${count} -i 0.005 -W 2 ${to}`);
  if (!output.includes(`${count} packets transmitted, ${count} packets received`)) {
    throw new Error(`${to} did not answer every echo request exactly once: ${output.trim()}`);
  }
}

/** Makes `count` HTTP requests, one after the other; returns the answers. */
export async function request(from: Pod, to: string, count: number): Promise<string[]> {
  const script = `for i in $(busybox seq ${count}); do busybox timeout 5 busybox wget -q -O - http://${to}/ || exit 1; done`;
  return (await from.run(script)).trim().split("\n");
}

/** Copies of the echo requests that `address` has got. */
export function requestsTo(packets: Packet[], address: string): Packet[] {
  return packets.filter(({ inner }) => inner.icmpType === ECHO_REQUEST && inner.destination === address);
}

/** Copies of the echo replies that `address` has sent. */
export function repliesFrom(packets: Packet[], address: string): Packet[] {
  return packets.filter(({ inner }) => inner.icmpType === ECHO_REPLY && inner.source === address);
}

/** Copies of TCP segments between two addresses, in both directions. */
export function segmentsBetween(packets: Packet[], one: string, other: string): Packet[] {
  return packets.filter(({ inner: { protocol, source, destination } }) => {
    const ends = [source, destination];
    return protocol === "tcp" && ends.includes(one) && ends.includes(other);
  });
}

/** What makes a packet the one it is, wherever on its way it is seen. */
function identity({ protocol, source, destination, id, sourcePort, destinationPort, flags, ...rest }: Frame): string {
  const ends = `${source ?? "?"}:${sourcePort ?? ""} > ${destination ?? "?"}:${destinationPort ?? ""}`;
  return `${protocol} ${ends} ${flags ?? rest.icmpType ?? ""} sequence ${rest.sequence ?? ""} length ${rest.payload ?? ""} id ${id ?? ""}`;
}

/** Compares as multisets: what only one of them has. Both empty means: the same packets, each as often. */
export function packetDifference(sent: Packet[], copied: Packet[]): { missing: string[]; surplus: string[] } {
  const open = new Map<string, number>();
  for (const { inner } of sent) open.set(identity(inner), (open.get(identity(inner)) ?? 0) + 1);
  const surplus: string[] = [];
  for (const { inner } of copied) {
    const key = identity(inner);
    const left = open.get(key) ?? 0;
    if (left === 0) surplus.push(key);
    else open.set(key, left - 1);
  }
  return { missing: [...open].flatMap(([key, count]) => Array<string>(count).fill(key)), surplus };
}

/** Echo requests at a steady pace, 100 a second unless said otherwise, until it is stopped. */
export class PingStream {
  private output = "";

  private constructor(
    private readonly child: ChildProcess,
    private readonly exited: Promise<unknown>,
  ) {}

  static async start(from: Pod, to: string, intervalSeconds = 0.01): Promise<PingStream> {
    const child = from.launch("setpriv", [
      ...["--pdeathsig", "KILL", "busybox", "ping", "-i", String(intervalSeconds), to],
    ]);
    const stream = new PingStream(child, once(child, "exit"));
    child.stdout?.setEncoding("utf8").on("data", (text: string) => (stream.output += text));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (stream.output += text));
    await eventually(`${to} answers the stream`, () => stream.output.includes(" time="), { seconds: 5 });
    return stream;
  }

  /**
   * How many were sent, and how many of those before the last answered one were not answered, or answered twice. What
   * was still on its way at the end is not counted as lost.
   */
  async stop(): Promise<{ sent: number; lost: number; duplicates: number }> {
    this.child.kill("SIGINT");
    await this.exited;
    const sent = /(\d+) packets transmitted/.exec(this.output)?.[1];
    if (sent === undefined) throw new Error(`The stream ended without statistics: ${this.output.slice(-300)}`);
    const answered = new Set([...this.output.matchAll(/ seq=(\d+) /g)].map(([, sequence]) => Number(sequence)));
    const duplicates = this.output.match(/DUP!/g)?.length ?? 0;
    return { sent: Number(sent), lost: Math.max(...answered) + 1 - answered.size, duplicates };
  }
}
