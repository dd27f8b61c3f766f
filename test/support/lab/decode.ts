/** Packets of a capture file as values, decoded by tshark: an implementation that is not ours. Used by Capture. */
import { run } from "./command";

/** The tunnel around a copy. */
export interface Tunnel {
  kind: "vxlan" | "geneve" | "gre" | "erspan";
  source: string;
  destination: string;
  /** UDP destination port of vxlan and geneve. */
  udpPort?: number;
  /** vxlan and geneve. */
  vni?: number;
  /** gre; absent if the header carries none. */
  key?: number;
  /** erspan: 1 or 2 (types II and III on the wire), session, and the fields of each version. */
  version?: number;
  session?: number;
  index?: number;
  dir?: number;
  hardwareID?: number;
}

/** One frame, and the tunnel it came in if there was one. */
export interface Packet {
  tunnel?: Tunnel;
  /** Length of the whole captured frame in bytes. */
  length: number;
  sourceMAC: string;
  destinationMAC: string;
  /** Innermost protocol that this lab speaks of. */
  protocol: "echo-request" | "echo-reply" | "arp" | "nd" | "tcp" | "udp" | "other";
  /** Innermost addresses; "" for anything but IP. */
  source: string;
  destination: string;
  /** 802.1Q VLAN of the innermost frame. */
  vlan?: number;
  /** Payload bytes of an echo request or reply: what `ping -s` was told. */
  size?: number;
}

export interface DecodeOptions {
  /** Further UDP ports to be taken as tunnels. */
  udpPorts?: Readonly<Record<number, "vxlan" | "geneve">>;
}

const FIELDS = [
  "frame.protocols",
  "frame.len",
  "eth.src",
  "eth.dst",
  "vlan.id",
  "ip.src",
  "ip.dst",
  "ipv6.src",
  "ipv6.dst",
  "udp.dstport",
  "icmp.type",
  "icmpv6.type",
  "ip.len",
  "ipv6.plen",
  "vxlan.vni",
  "geneve.vni",
  "gre.key",
  "erspan.version",
  "erspan.spanid",
  "erspan.index",
  "erspan.direction",
  "erspan.hw",
] as const;

/** The values of one field in one frame, outermost first. */
type Frame = (field: (typeof FIELDS)[number]) => string[];

export async function decode(file: string, options: DecodeOptions = {}): Promise<Packet[]> {
  const as = Object.entries(options.udpPorts ?? {}).flatMap(([port, kind]) => ["-d", `udp.port==${port},${kind}`]);
  const format = ["-T", "fields", "-E", "separator=/t", "-E", "occurrence=a", "-E", "aggregator=;"];
  const text = await run("tshark", ["-n", "-r", file, ...as, ...format, ...FIELDS.flatMap((field) => ["-e", field])]);
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const columns = line.split("\t");
      return packet((field) => (columns[FIELDS.indexOf(field)] ?? "").split(";").filter((value) => value !== ""));
    });
}

function packet(frame: Frame): Packet {
  const layers = frame("frame.protocols")[0]?.split(":") ?? [];
  const kind = layers.includes("erspan") ? "erspan" : layers.find((layer) => /^(vxlan|geneve|gre)$/.test(layer));
  const last = (field: (typeof FIELDS)[number]): string => frame(field).at(-1) ?? "";
  // In a tunnel the outer addresses come first; if inner and outer family differ, each list has one.
  const inner = kind ? layers.slice(layers.indexOf(kind) + 1) : layers;
  const v6 = inner.includes("ipv6");
  const v4 = inner.includes("ip");
  const result: Packet = {
    length: Number(last("frame.len")),
    sourceMAC: last("eth.src"),
    destinationMAC: last("eth.dst"),
    protocol: protocol(inner, Number(last("icmp.type")), Number(last("icmpv6.type"))),
    source: v6 ? last("ipv6.src") : v4 ? last("ip.src") : "",
    destination: v6 ? last("ipv6.dst") : v4 ? last("ip.dst") : "",
  };
  if (inner.includes("vlan")) result.vlan = Number(last("vlan.id"));
  if (result.protocol.startsWith("echo"))
    result.size = v6 ? Number(last("ipv6.plen")) - 8 : Number(last("ip.len")) - 28;
  if (kind) result.tunnel = tunnel(kind as Tunnel["kind"], layers, frame);
  return result;
}

function tunnel(kind: Tunnel["kind"], layers: string[], frame: Frame): Tunnel {
  const family = layers.slice(0, layers.indexOf(kind)).includes("ipv6") ? "ipv6" : "ip";
  const number = (field: (typeof FIELDS)[number]): number | undefined => {
    const text = frame(field)[0];
    return text === undefined ? undefined : Number(text === "True" ? 1 : text === "False" ? 0 : text);
  };
  const version = number("erspan.version");
  const all: Tunnel = {
    kind,
    source: frame(`${family}.src`)[0] ?? "",
    destination: frame(`${family}.dst`)[0] ?? "",
    udpPort: kind === "vxlan" || kind === "geneve" ? number("udp.dstport") : undefined,
    vni: number(kind === "geneve" ? "geneve.vni" : "vxlan.vni"),
    key: kind === "gre" ? number("gre.key") : undefined,
    version,
    session: number("erspan.spanid"),
    index: number("erspan.index"),
    dir: version === 2 ? number("erspan.direction") : undefined,
    hardwareID: number("erspan.hw"),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as unknown as Tunnel;
}

function protocol(layers: string[], icmp: number, icmp6: number): Packet["protocol"] {
  if (layers.includes("arp")) return "arp";
  if (layers.includes("icmp")) return icmp === 8 ? "echo-request" : icmp === 0 ? "echo-reply" : "other";
  if (layers.includes("icmpv6")) {
    if (icmp6 === 128) return "echo-request";
    if (icmp6 === 129) return "echo-reply";
    return icmp6 >= 133 && icmp6 <= 137 ? "nd" : "other";
  }
  return layers.includes("tcp") ? "tcp" : layers.includes("udp") ? "udp" : "other";
}
