/** From tcpdump's text to copies: what was inside the tunnel, each packet once. One reader per node. Pure. */
import type { Where } from "./where";

export interface Copy {
  /** As tcpdump prints it, hours to microseconds, in the node's time zone. */
  time: string;
  /** The packet itself: "IP 10.244.1.5.40112 > 10.244.2.7.80: Flags [S], …". */
  packet: string;
}

const FIRST_LINE = /^(\d\d:\d\d:\d\d\.\d+) (.*)$/;
/** Of packets on device "any": the device and the direction. */
const ON_ANY = /^(\S+)\s+(In|Out|B|M|P)\s+(.*)$/;
const NETWORK = /(?:vni |key=)(0x[0-9a-f]+|\d+)/;
/** What tcpdump prints before the inner packet if it prints both on one line. */
const OUTER = /^.*?(?:proto TEB \(0x6558\)|GREv0, [^:]*length \d+): /;

export class CopyReader {
  private pending: { time: string; lines: string[] } | undefined;
  /** A packet that leaves through a bond or a bridge is seen on several devices; the first one counts. */
  private device: string | undefined;

  /** @param addresses of the Pod that is asked for; all copies if absent */
  constructor(
    private readonly where: Where,
    private readonly addresses?: readonly string[],
  ) {}

  /** One line of tcpdump; returns the packet that it has completed, if any. */
  line(text: string): Copy | undefined {
    const [, time, rest] = FIRST_LINE.exec(text) ?? [];
    if (time === undefined || rest === undefined) {
      this.pending?.lines.push(text.trim());
      return undefined;
    }
    const done = this.flush();
    this.pending = { time, lines: [rest] };
    return done;
  }

  /** The packet whose last line may have come: to be called when nothing comes any more. */
  flush(): Copy | undefined {
    const { pending } = this;
    this.pending = undefined;
    if (pending === undefined) return undefined;
    const [first = "", ...inner] = pending.lines;
    const outer = this.where.device === "any" ? this.fromAny(first) : first;
    if (outer === undefined || !this.isOurNetwork(outer)) return undefined;
    const packet = this.where.device === "any" ? inner.join(" ") || outer.replace(OUTER, "") : pending.lines.join(" ");
    return this.isAsked(packet) ? { time: pending.time, packet } : undefined;
  }

  private fromAny(line: string): string | undefined {
    const [, device, , rest] = ON_ANY.exec(line) ?? [];
    this.device ??= device;
    return device === this.device ? rest : undefined;
  }

  private isOurNetwork(outer: string): boolean {
    const { network } = this.where;
    if (network === undefined) return true;
    const [, written] = NETWORK.exec(outer) ?? [];
    return Number(written ?? 0) === network;
  }

  private isAsked(packet: string): boolean {
    if (this.addresses === undefined) return true;
    // tcpdump writes a port after a dot: 10.244.1.5.80.
    const words = packet.split(/[\s,:]+(?=\s|$)|\s+/);
    return this.addresses.some((address) => words.some((word) => word === address || isPortOf(word, address)));
  }
}

function isPortOf(word: string, address: string): boolean {
  return word.startsWith(`${address}.`) && /^\d+$/.test(word.slice(address.length + 1));
}
