/**
 * Decodes captured packets with tshark into typed values: the tunnel around them, if any, and what is inside. Used
 * through capture.ts; parseLine is pure and has unit tests.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

export type TunnelKind = "vxlan" | "geneve" | "gre" | "erspan";

/** The headers around a copy. A field that the kind does not have is absent. */
export interface Tunnel {
  kind: TunnelKind;
  source: string;
  destination: string;
  /** UDP destination port of VXLAN and Geneve. */
  udpPort?: number;
  vni?: number;
  /** GRE key; absent if the packet has none. */
  key?: number;
  /** ERSPAN version as in the header: 1 is type II, 2 is type III. */
  version?: number;
  sessionID?: number;
  index?: number;
  dir?: number;
  hardwareID?: number;
}

/** The innermost frame. Addresses are absent if it holds no IP. */
export interface Frame {
  sourceMAC: string;
  destinationMAC: string;
  /** VLAN of the frame, if it is tagged. */
  vlan?: number;
  /** Name of the highest protocol that was asked for: "tcp", "udp", "icmp", "icmpv6", "arp"… */
  protocol: string;
  source?: string;
  destination?: string;
  /** Identification of an IPv4 packet; with source and destination it tells copies of one packet from two packets. */
  id?: number;
  sourcePort?: number;
  destinationPort?: number;
  /** Such as "SYN,ACK". */
  flags?: string;
  /** Absolute sequence number of TCP, or the one of an ICMP echo. */
  sequence?: number;
  /** Bytes of TCP payload. */
  payload?: number;
  icmpType?: number;
  /** "GET /path" or "200". */
  http?: string;
}

export interface Packet {
  /** When the kernel saw it: seconds since the epoch. */
  time: number;
  /** Bytes on the wire. */
  length: number;
  tunnel?: Tunnel;
  inner: Frame;
}

export interface DecodeOptions {
  /** UDP ports on which tshark would not look for these tunnels by itself. */
  vxlanPorts?: number[];
  genevePorts?: number[];
}

const FIELDS = [
  ...["frame.time_epoch", "frame.len", "frame.protocols", "eth.src", "eth.dst", "vlan.id"],
  ...["ip.src", "ip.dst", "ip.id", "ipv6.src", "ipv6.dst", "udp.srcport", "udp.dstport"],
  ...["tcp.srcport", "tcp.dstport", "tcp.flags", "tcp.seq_raw", "tcp.len"],
  ...["icmp.type", "icmp.seq", "icmpv6.type", "icmpv6.echo.sequence_number"],
  ...["vxlan.vni", "geneve.vni", "gre.key", "erspan.version", "erspan.spanid", "erspan.index"],
  ...["erspan.direction", "erspan.hw", "http.request.method", "http.request.uri", "http.response.code"],
] as const;
type Field = (typeof FIELDS)[number];

const AGGREGATOR = "|";
const TCP_FLAGS = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];

/** Decodes a pcap file; one that is still being written is read as far as it goes. */
export async function decode(file: string, options: DecodeOptions = {}): Promise<Packet[]> {
  const args = [
    // Each packet on its own: no reassembly, no state between packets.
    ...["-n", "-r", file, "-o", "tcp.desegment_tcp_streams:FALSE", "-o", "ip.defragment:FALSE"],
    ...["-o", "tcp.relative_sequence_numbers:FALSE", "-o", "tcp.analyze_sequence_numbers:FALSE"],
    ...(options.vxlanPorts ?? []).flatMap((port) => ["-d", `udp.port==${port},vxlan`]),
    ...(options.genevePorts ?? []).flatMap((port) => ["-d", `udp.port==${port},geneve`]),
    ...["-T", "fields", "-E", "separator=/t", "-E", "occurrence=a", "-E", `aggregator=${AGGREGATOR}`],
    ...FIELDS.flatMap((field) => ["-e", field]),
  ];
  const stdout = await tshark(args);
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map(parseLine);
}

async function tshark(args: string[]): Promise<string> {
  try {
    return (await promisify(execFile)("tshark", args, { maxBuffer: 1 << 30 })).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    // The last packet of a live capture may be half written; everything before it has been decoded.
    if (stdout !== undefined && stderr?.includes("cut short") === true) return stdout;
    throw error;
  }
}

/** One line of tshark's output → one packet: walks the layers and takes each header's values in their order. */
export function parseLine(line: string): Packet {
  const columns = line.split("\t");
  const values = new Map<Field, string[]>(
    FIELDS.map((field, column) => [field, (columns[column] ?? "").split(AGGREGATOR).filter((value) => value !== "")]),
  );
  const next = (field: Field): string | undefined => values.get(field)?.shift();
  const nextNumber = (field: Field): number | undefined => {
    const value = next(field);
    return value === undefined ? undefined : toNumber(value);
  };

  let frame: Frame = { sourceMAC: "", destinationMAC: "", protocol: "" };
  let tunnel: Tunnel | undefined;
  const enter = (kind: TunnelKind, fields: Partial<Tunnel>): void => {
    const { source = "", destination = "", destinationPort } = frame;
    tunnel = {
      kind,
      source,
      destination,
      ...(destinationPort === undefined ? {} : { udpPort: destinationPort }),
      ...fields,
    };
  };
  const packet = { time: Number(next("frame.time_epoch")), length: Number(next("frame.len")) };
  for (const layer of (next("frame.protocols") ?? "").split(":")) {
    switch (layer) {
      case "eth":
        frame = { sourceMAC: next("eth.src") ?? "", destinationMAC: next("eth.dst") ?? "", protocol: "eth" };
        break;
      case "vlan":
        frame.vlan = nextNumber("vlan.id");
        break;
      case "ip":
        Object.assign(frame, { source: next("ip.src"), destination: next("ip.dst"), id: nextNumber("ip.id") });
        frame.protocol = "ip";
        break;
      case "ipv6":
        Object.assign(frame, { source: next("ipv6.src"), destination: next("ipv6.dst"), protocol: "ipv6" });
        break;
      case "udp":
        Object.assign(frame, { sourcePort: nextNumber("udp.srcport"), destinationPort: nextNumber("udp.dstport") });
        frame.protocol = "udp";
        break;
      case "tcp":
        Object.assign(frame, { sourcePort: nextNumber("tcp.srcport"), destinationPort: nextNumber("tcp.dstport") });
        frame.flags = flagNames(nextNumber("tcp.flags") ?? 0);
        Object.assign(frame, { sequence: nextNumber("tcp.seq_raw"), payload: nextNumber("tcp.len"), protocol: "tcp" });
        break;
      case "http":
        frame.http = httpLine(next("http.request.method"), next("http.request.uri"), next("http.response.code"));
        break;
      case "icmp":
        Object.assign(frame, { icmpType: nextNumber("icmp.type"), sequence: nextNumber("icmp.seq"), protocol: "icmp" });
        // An error message holds the packet it is about; that one is not on the wire.
        return { ...packet, ...(tunnel ? { tunnel } : {}), inner: frame };
      case "icmpv6":
        frame.icmpType = nextNumber("icmpv6.type");
        Object.assign(frame, { sequence: nextNumber("icmpv6.echo.sequence_number"), protocol: "icmpv6" });
        return { ...packet, ...(tunnel ? { tunnel } : {}), inner: frame };
      case "arp":
        frame.protocol = "arp";
        break;
      case "vxlan":
        enter("vxlan", { vni: nextNumber("vxlan.vni") });
        break;
      case "geneve":
        enter("geneve", { vni: nextNumber("geneve.vni") });
        break;
      case "gre": {
        const key = nextNumber("gre.key");
        enter("gre", key === undefined ? {} : { key });
        break;
      }
      case "erspan":
        tunnel = erspan(tunnel!, nextNumber);
        break;
    }
  }
  return { ...packet, ...(tunnel ? { tunnel } : {}), inner: frame };
}

function erspan(gre: Tunnel, nextNumber: (field: Field) => number | undefined): Tunnel {
  const version = nextNumber("erspan.version");
  const sessionID = nextNumber("erspan.spanid");
  const index = nextNumber("erspan.index");
  const fields =
    version === 1 ? { index } : { dir: nextNumber("erspan.direction"), hardwareID: nextNumber("erspan.hw") };
  return { kind: "erspan", source: gre.source, destination: gre.destination, version, sessionID, ...fields };
}

function httpLine(method?: string, uri?: string, code?: string): string | undefined {
  return method === undefined ? code : `${method} ${uri ?? ""}`;
}

function flagNames(flags: number): string {
  return TCP_FLAGS.filter((_, bit) => (flags & (1 << bit)) !== 0).join(",");
}

/** Numbers come as decimal, as 0x… or, for single bits, as a truth value. */
function toNumber(value: string): number {
  if (value === "True") return 1;
  if (value === "False") return 0;
  return Number(value);
}
