/**
 * The fields of matches and actions by name: other names, widths, and their numbers on the wire (ovs-fields(7)).
 * Read by the canonical spellings and by the encoder.
 */

/** Other names of a field → the name that Open vSwitch prints. */
export const ALIASES: Record<string, string> = {
  eth_src: "dl_src",
  eth_dst: "dl_dst",
  eth_type: "dl_type",
  ip_src: "nw_src",
  ip_dst: "nw_dst",
  ip_proto: "nw_proto",
  ip_frag: "nw_frag",
  ip_tos: "nw_tos",
  icmpv4_type: "icmp_type",
  icmpv4_code: "icmp_code",
  icmpv6_type: "icmp_type",
  icmpv6_code: "icmp_code",
  tunnel_id: "tun_id",
  tcp_src: "tp_src",
  tcp_dst: "tp_dst",
  udp_src: "tp_src",
  udp_dst: "tp_dst",
  sctp_src: "tp_src",
  sctp_dst: "tp_dst",
};

/** A field as a whole register, header or address: what `load`, `set_field`, `move` and `learn` name. */
export interface Subfield {
  /** As in `set_field:…->NAME`. */
  name: string;
  bits: number;
  /** OXM class and field number on the wire, as class << 16 | field << 9; the payload has `bits` / 8 bytes. */
  oxm: number;
}

/** NXM_OF_…, NXM_NX_… and OXM_OF_… names → the field. The first name of each is the one that Open vSwitch prints. */
export const SUBFIELDS = new Map<string, Subfield>([
  ["NXM_OF_IN_PORT", { name: "in_port", bits: 16, oxm: oxm(0x0000, 0) }],
  ["NXM_OF_ETH_SRC", { name: "eth_src", bits: 48, oxm: oxm(0x0000, 2) }],
  ["NXM_OF_ETH_DST", { name: "eth_dst", bits: 48, oxm: oxm(0x0000, 1) }],
  ["OXM_OF_ETH_SRC", { name: "eth_src", bits: 48, oxm: oxm(0x8000, 4) }],
  ["OXM_OF_ETH_DST", { name: "eth_dst", bits: 48, oxm: oxm(0x8000, 3) }],
  ["NXM_OF_VLAN_TCI", { name: "vlan_tci", bits: 16, oxm: oxm(0x0000, 4) }],
  ["NXM_NX_PKT_MARK", { name: "pkt_mark", bits: 32, oxm: oxm(0x0001, 33) }],
  ["OXM_OF_METADATA", { name: "metadata", bits: 64, oxm: oxm(0x8000, 2) }],
  ["NXM_NX_TUN_ID", { name: "tun_id", bits: 64, oxm: oxm(0x0001, 16) }],
  ["NXM_NX_CT_MARK", { name: "ct_mark", bits: 32, oxm: oxm(0x0001, 107) }],
]);
for (let i = 0; i < 16; i++) SUBFIELDS.set(`NXM_NX_REG${i}`, { name: `reg${i}`, bits: 32, oxm: oxm(0x0001, i) });

/** Fields by the name in `set_field`. */
export const BY_NAME = new Map([...SUBFIELDS.values()].map((field) => [field.name, field]));
export const WIDTHS = new Map([...BY_NAME].map(([name, { bits }]) => [name, bits]));

/** Names of matches → names in `set_field`. */
export const SET_FIELD_NAMES = new Map([
  ["dl_src", "eth_src"],
  ["dl_dst", "eth_dst"],
  ["tunnel_id", "tun_id"],
]);

/** A field of a match on the wire. */
export interface MatchField {
  oxm: number;
  bytes: number;
  /** Keywords one of which has to stand in the match too, else Open vSwitch ignores or refuses the field. */
  needs?: readonly string[];
}

const IPV4 = ["ip", "icmp", "tcp", "udp", "sctp"];
const IPV6 = ["ipv6", "icmp6", "tcp6", "udp6", "sctp6"];

/** The fields that the encoder knows, in an order in which each comes behind what it needs. The key says the field, or field and keyword. */
export const MATCH_FIELDS: readonly [string, MatchField][] = [
  ["metadata", { oxm: oxm(0x8000, 2), bytes: 8 }],
  ["tun_id", { oxm: oxm(0x8000, 38), bytes: 8 }],
  ["pkt_mark", { oxm: oxm(0x0001, 33), bytes: 4 }],
  ...Array.from({ length: 16 }, (_, i): [string, MatchField] => [`reg${i}`, { oxm: oxm(0x0001, i), bytes: 4 }]),
  ["dl_dst", { oxm: oxm(0x8000, 3), bytes: 6 }],
  ["dl_src", { oxm: oxm(0x8000, 4), bytes: 6 }],
  ["nw_proto", { oxm: oxm(0x8000, 10), bytes: 1, needs: ["ip", "ipv6"] }],
  ["nw_src", { oxm: oxm(0x8000, 11), bytes: 4, needs: IPV4 }],
  ["nw_dst", { oxm: oxm(0x8000, 12), bytes: 4, needs: IPV4 }],
  ["ipv6_src", { oxm: oxm(0x8000, 26), bytes: 16, needs: IPV6 }],
  ["ipv6_dst", { oxm: oxm(0x8000, 27), bytes: 16, needs: IPV6 }],
  ["tp_src", { oxm: oxm(0x8000, 13), bytes: 2, needs: ["tcp", "tcp6"] }],
  ["tp_dst", { oxm: oxm(0x8000, 14), bytes: 2, needs: ["tcp", "tcp6"] }],
  ["tp_src", { oxm: oxm(0x8000, 15), bytes: 2, needs: ["udp", "udp6"] }],
  ["tp_dst", { oxm: oxm(0x8000, 16), bytes: 2, needs: ["udp", "udp6"] }],
  ["icmp_type", { oxm: oxm(0x8000, 19), bytes: 1, needs: ["icmp"] }],
  ["icmp_code", { oxm: oxm(0x8000, 20), bytes: 1, needs: ["icmp"] }],
  ["icmp_type", { oxm: oxm(0x8000, 29), bytes: 1, needs: ["icmp6"] }],
  ["icmp_code", { oxm: oxm(0x8000, 30), bytes: 1, needs: ["icmp6"] }],
];

/** Protocol keywords → Ethernet type and IP protocol. */
export const PROTOCOLS = new Map<string, { type: number; protocol?: number }>([
  ["ip", { type: 0x0800 }],
  ["ipv6", { type: 0x86dd }],
  ["arp", { type: 0x0806 }],
  ["icmp", { type: 0x0800, protocol: 1 }],
  ["tcp", { type: 0x0800, protocol: 6 }],
  ["udp", { type: 0x0800, protocol: 17 }],
  ["sctp", { type: 0x0800, protocol: 132 }],
  ["icmp6", { type: 0x86dd, protocol: 58 }],
  ["tcp6", { type: 0x86dd, protocol: 6 }],
  ["udp6", { type: 0x86dd, protocol: 17 }],
  ["sctp6", { type: 0x86dd, protocol: 132 }],
  ["rarp", { type: 0x8035 }],
]);

function oxm(oxmClass: number, field: number): number {
  return oxmClass * 0x10000 + field * 0x200;
}
