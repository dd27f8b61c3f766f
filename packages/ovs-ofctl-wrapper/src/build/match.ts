/**
 * Matches as objects with named fields, and as text: `formatMatch({ protocol: "ip", in_port: 3 })` is `ip,in_port=3`, and
 * parseMatch reads it back, in whatever spelling Open vSwitch prints it (ovs-fields(7)). Called by users of this package.
 */
import { matchFields } from "../canonical-match";
import { PROTOCOLS } from "../fields";

export type Protocol =
  | "ip"
  | "ipv6"
  | "arp"
  | "rarp"
  | "icmp"
  | "icmp6"
  | "tcp"
  | "tcp6"
  | "udp"
  | "udp6"
  | "sctp"
  | "sctp6";

/** A value of which only some bits count. */
export interface Masked<N> {
  value: N;
  mask: N;
}

type Register = `reg${0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15}`;

/** An absent field matches everything. Values are as in ovs-fields(7); a field without its protocol is refused by Open vSwitch. */
export interface Match extends Partial<Record<Register | "pkt_mark", number | Masked<number>>> {
  /** Ethernet type and IP protocol in one word. */
  protocol?: Protocol;
  /** OpenFlow port number, or the bridge's own port. */
  in_port?: number | "LOCAL";
  /** `0a:00:00:00:00:01`, with a mask `01:00:00:00:00:00/01:00:00:00:00:00`. */
  dl_src?: string;
  dl_dst?: string;
  /** VLAN 0-4095 of a frame with a tag; "none" for one without. */
  dl_vlan?: number | "none";
  /** Priority 0-7 of a frame with a tag; together with dl_vlan. */
  dl_vlan_pcp?: number;
  /** Any bits of the tag: 0x1000 says that there is one. Instead of dl_vlan. */
  vlan_tci?: Masked<number>;
  /** `10.0.0.1`, `10.0.0.0/8`. */
  nw_src?: string;
  nw_dst?: string;
  /** `fd00::1`, `fd00::/64`. */
  ipv6_src?: string;
  ipv6_dst?: string;
  /** IP protocol, where there is no word for it. */
  nw_proto?: number;
  /** TCP, UDP and SCTP ports. */
  tp_src?: number | Masked<number>;
  tp_dst?: number | Masked<number>;
  icmp_type?: number;
  icmp_code?: number;
  metadata?: bigint | Masked<bigint>;
  tun_id?: bigint | Masked<bigint>;
}

/** As ovs-ofctl reads it; "" for a match without fields. */
export function formatMatch(match: Match): string {
  const { protocol, ...fields } = match;
  const parts: string[] = protocol === undefined ? [] : [protocol];
  for (const [name, value] of Object.entries(fields) as [string, Match[keyof Match]][]) {
    if (value === undefined) continue;
    if (value === "none") parts.push("vlan_tci=0x0000/0x1fff");
    else if (typeof value === "object") parts.push(`${name}=${hex(value.value)}/${hex(value.mask)}`);
    else parts.push(`${name}=${typeof value === "bigint" ? hex(value) : value}`);
  }
  return parts.join(",");
}

/** Reads a match; null if it has a field that is not one of Match's. */
export function parseMatch(text: string): Match | null {
  const match: Record<string, unknown> = {};
  for (const [name, value] of text === "" ? [] : matchFields(text)) {
    const read = value === "" && PROTOCOLS.has(name) ? { protocol: name } : readField(name, value);
    if (read === null) return null;
    Object.assign(match, read);
  }
  return match;
}

function readField(name: string, text: string): Match | null {
  if (name === "in_port") return text === "LOCAL" || /^\d+$/.test(text) ? { in_port: port(text) } : null;
  if (!/^0x[0-9a-f]+(\/0x[0-9a-f]+)?$/.test(text)) return null;
  const [value = 0n, mask] = text.split("/").map(BigInt);
  if (name === "vlan_tci") return vlan(Number(value), Number(mask));
  if (/^dl_(src|dst)$/.test(name)) return { [name]: address(value, mask, mac) };
  if (/^nw_(src|dst)$/.test(name)) return { [name]: address(value, mask, ipv4, 32) };
  if (/^ipv6_(src|dst)$/.test(name)) return { [name]: address(value, mask, ipv6, 128) };
  if (/^(metadata|tun_id)$/.test(name)) return { [name]: mask === undefined ? value : { value, mask } };
  if (!/^(reg\d+|pkt_mark|nw_proto|tp_src|tp_dst|icmp_type|icmp_code)$/.test(name)) return null;
  return { [name]: mask === undefined ? Number(value) : { value: Number(value), mask: Number(mask) } };
}

function port(text: string): number | "LOCAL" {
  return text === "LOCAL" ? text : Number(text);
}

function vlan(value: number, mask: number): Match {
  if (value === 0 && mask === 0x1fff) return { dl_vlan: "none" };
  const tagged = (value & 0x1000) !== 0;
  if (tagged && mask === 0x1fff) return { dl_vlan: value & 0xfff };
  if (tagged && mask === 0xffff) return { dl_vlan: value & 0xfff, dl_vlan_pcp: value >> 13 };
  return { vlan_tci: { value, mask } };
}

/** `width`: of addresses whose mask is a prefix length where it can be one. */
function address(value: bigint, mask: bigint | undefined, print: (value: bigint) => string, width?: number): string {
  if (mask === undefined) return print(value);
  if (width !== undefined) {
    const zeros = mask.toString(2).length - mask.toString(2).replace(/0+$/, "").length;
    const all = (1n << BigInt(width)) - 1n;
    if (mask === all - ((1n << BigInt(zeros)) - 1n)) return `${print(value)}/${width - zeros}`;
  }
  return `${print(value)}/${print(mask)}`;
}

function mac(value: bigint): string {
  return value.toString(16).padStart(12, "0").match(/../g)!.join(":");
}

function ipv4(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 0xffn)).join(".");
}

/** In the short spelling of RFC 5952, which is that of URLs. */
function ipv6(value: bigint): string {
  const groups = value.toString(16).padStart(32, "0").match(/.{4}/g)!.join(":");
  return new URL(`http://[${groups}]`).hostname.slice(1, -1);
}

function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}
