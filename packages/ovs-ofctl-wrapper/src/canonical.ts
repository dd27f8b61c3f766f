/**
 * One spelling for each match and each action list, so that what was written can be compared with what Open vSwitch prints:
 * it reorders fields, prints numbers in hexadecimal, and turns `load` into `set_field` and back depending on the OpenFlow version.
 * Called by diffFlows. Spellings follow ovs-fields(7) and ovs-actions(7).
 */
import { splitTopLevel } from "./flow";

/** Other names of a field → the name that Open vSwitch prints. */
const ALIASES: Record<string, string> = {
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

/** `dl_type=…` (and `nw_proto=…`) → the keyword that stands for it. */
const ETHERTYPES = new Map([
  [0x0800n, "ip"],
  [0x86ddn, "ipv6"],
  [0x0806n, "arp"],
  [0x8035n, "rarp"],
  [0x8847n, "mpls"],
]);
const PROTOCOLS: Record<string, Map<bigint, string>> = {
  ip: new Map([
    [1n, "icmp"],
    [6n, "tcp"],
    [17n, "udp"],
    [132n, "sctp"],
  ]),
  ipv6: new Map([
    [58n, "icmp6"],
    [6n, "tcp6"],
    [17n, "udp6"],
    [132n, "sctp6"],
  ]),
};

/** NXM and OXM names as used in `load` and `move` → field name and width in bits. */
const FIELDS = new Map<string, { name: string; bits: number }>([
  ["NXM_OF_IN_PORT", { name: "in_port", bits: 16 }],
  ["NXM_OF_ETH_SRC", { name: "eth_src", bits: 48 }],
  ["NXM_OF_ETH_DST", { name: "eth_dst", bits: 48 }],
  ["OXM_OF_ETH_SRC", { name: "eth_src", bits: 48 }],
  ["OXM_OF_ETH_DST", { name: "eth_dst", bits: 48 }],
  ["NXM_OF_VLAN_TCI", { name: "vlan_tci", bits: 16 }],
  ["NXM_NX_PKT_MARK", { name: "pkt_mark", bits: 32 }],
  ["OXM_OF_METADATA", { name: "metadata", bits: 64 }],
  ["NXM_NX_TUN_ID", { name: "tun_id", bits: 64 }],
  ["NXM_NX_CT_MARK", { name: "ct_mark", bits: 32 }],
]);
for (let i = 0; i < 16; i++) FIELDS.set(`NXM_NX_REG${i}`, { name: `reg${i}`, bits: 32 });
const SET_FIELD_NAMES = new Map([
  ["dl_src", "eth_src"],
  ["dl_dst", "eth_dst"],
  ["tunnel_id", "tun_id"],
]);
const WIDTHS = new Map([...FIELDS.values()].map(({ name, bits }) => [name, bits]));
const RESERVED_PORTS = new Map([
  [0xfff8n, "IN_PORT"],
  [0xfff9n, "TABLE"],
  [0xfffan, "NORMAL"],
  [0xfffbn, "FLOOD"],
  [0xfffcn, "ALL"],
  [0xfffdn, "CONTROLLER"],
  [0xfffen, "LOCAL"],
]);

/** A number in any spelling, MAC addresses included; null for anything else (IP addresses, names). */
function toNumber(text: string): bigint | null {
  if (/^(0x[0-9a-f]+|\d+)$/i.test(text)) return BigInt(text);
  if (/^[0-9a-f]{1,2}(:[0-9a-f]{1,2}){5}$/i.test(text))
    return BigInt(
      `0x${text
        .split(":")
        .map((octet) => octet.padStart(2, "0"))
        .join("")}`,
    );
  return null;
}

function port(text: string): string {
  const number = toNumber(text);
  if (number === null) return text.toUpperCase();
  return RESERVED_PORTS.get(number & 0xffffn) ?? String(number);
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}

/** `value[/mask]` of a field in one spelling; null if the mask is empty, that is if the field does not matter. */
function masked(field: string, text: string): string | null {
  const [value = "", mask] = text.split("/");
  const number = toNumber(value);
  if (number === null) return ipAddress(field, value, mask);
  if (mask === undefined) return hex(number);
  const bits = toNumber(mask);
  if (bits === null) return text;
  if (bits === 0n) return null;
  const width = WIDTHS.get(field) ?? (field.startsWith("dl_") ? 48 : undefined);
  if (width !== undefined && bits === (1n << BigInt(width)) - 1n) return hex(number);
  return `${hex(number & bits)}/${hex(bits)}`;
}

/** IP addresses: a full mask is left out, a mask in address form becomes a prefix length, host bits become zero. */
function ipAddress(field: string, value: string, mask: string | undefined): string | null {
  const v6 = value.includes(":");
  const v4 = /^\d+(\.\d+){3}$/.test(value);
  if (!v6 && !v4) return mask === undefined ? value.toLowerCase() : `${value}/${mask}`.toLowerCase();
  const width = v6 ? 128 : 32;
  const address = parseAddress(value);
  const all = (1n << BigInt(width)) - 1n;
  let bits = all;
  if (mask !== undefined) {
    bits = /^\d+$/.test(mask) ? all ^ (all >> BigInt(mask)) : parseAddress(mask);
  }
  if (bits === 0n) return null;
  return bits === all ? hex(address) : `${hex(address & bits)}/${hex(bits)}`;
}

function parseAddress(text: string): bigint {
  if (!text.includes(":")) return text.split(".").reduce((sum, octet) => sum * 256n + BigInt(octet), 0n);
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (dotted) {
    const v4 = parseAddress(dotted[2]!);
    text = `${dotted[1]!}${(v4 >> 16n).toString(16)}:${(v4 & 0xffffn).toString(16)}`;
  }
  const [left = "", right] = text.split("::");
  const groups = (part: string): string[] => (part === "" ? [] : part.split(":"));
  const head = groups(left);
  const tail = groups(right ?? "");
  const zeros = right === undefined ? [] : Array<string>(8 - head.length - tail.length).fill("0");
  return [...head, ...zeros, ...tail].reduce((sum, group) => sum * 65536n + BigInt(`0x${group}`), 0n);
}

/**
 * The match in one spelling: fields sorted, numbers in hexadecimal, keywords for protocols, no empty masks.
 * Two matches that Open vSwitch takes as the same flow give the same text; unknown fields are kept as they are.
 */
export function canonicalMatch(match: string): string {
  const fields = new Map<string, string>();
  for (const part of splitTopLevel(match)) {
    const equals = part.indexOf("=");
    if (equals < 0) {
      fields.set(part.toLowerCase(), "");
      continue;
    }
    const key = part.slice(0, equals).trim().toLowerCase();
    const name = ALIASES[key] ?? key;
    const text = part.slice(equals + 1).trim();
    if (name === "in_port") fields.set(name, port(text));
    else {
      const value = masked(name, text);
      if (value !== null) fields.set(name, value);
    }
  }
  protocols(fields);
  vlan(fields);
  return [...fields]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => (value === "" ? key : `${key}=${value}`))
    .join(",");
}

/** dl_type and nw_proto as keywords: `dl_type=0x86dd,nw_proto=58` is printed as `icmp6`. */
function protocols(fields: Map<string, string>): void {
  const type = fields.get("dl_type");
  const keyword = type === undefined || type.includes("/") ? undefined : ETHERTYPES.get(BigInt(type));
  if (keyword !== undefined) {
    fields.delete("dl_type");
    fields.set(keyword, "");
  }
  const proto = fields.get("nw_proto");
  if (proto === undefined || proto.includes("/")) return;
  for (const family of ["ip", "ipv6"]) {
    const word = fields.has(family) ? PROTOCOLS[family]!.get(BigInt(proto)) : undefined;
    if (word === undefined) continue;
    fields.delete(family);
    fields.delete("nw_proto");
    fields.set(word, "");
  }
}

/** All spellings of the VLAN field (vlan_tci, vlan_vid, dl_vlan, dl_vlan_pcp) as `vlan_tci=value/mask`. */
function vlan(fields: Map<string, string>): void {
  let value = 0n;
  let mask = 0n;
  const take = (field: string, valueOf: (text: bigint) => bigint, fullMask: bigint): void => {
    const text = fields.get(field);
    if (text === undefined) return;
    fields.delete(field);
    const [v = "0", m] = text.split("/");
    const bits = m === undefined ? fullMask : BigInt(m);
    value |= valueOf(BigInt(v)) & bits;
    mask |= bits;
  };
  // dl_vlan=0xffff means "no VLAN header".
  if (fields.get("dl_vlan") === "0xffff") fields.set("dl_vlan", "0x0/0x1fff");
  else if (fields.has("dl_vlan")) fields.set("dl_vlan", hex(BigInt(fields.get("dl_vlan")!) | 0x1000n));
  take("dl_vlan", (v) => v, 0x1fffn);
  take("vlan_vid", (v) => v, 0x1fffn);
  take("dl_vlan_pcp", (v) => (v << 13n) | 0x1000n, 0xf000n);
  take("vlan_pcp", (v) => (v << 13n) | 0x1000n, 0xf000n);
  take("vlan_tci", (v) => v, 0xffffn);
  // OpenFlow 1.2+ has the priority bits only together with a VLAN, and only all three of them.
  if ((value & mask & 0x1fffn) === 0n) mask &= 0x1fffn;
  else if ((mask & 0xe000n) !== 0n) mask |= 0xe000n;
  if (mask !== 0n) fields.set("vlan_tci", `${hex(value & mask)}/${hex(mask)}`);
}

/** The action list in one spelling; the order stays, because it matters. */
export function canonicalActions(actions: string): string {
  const list = splitTopLevel(actions).map(canonicalAction);
  return list.length === 0 ? "drop" : list.join(",");
}

function canonicalAction(action: string): string {
  const load = /^load:([^>]+)->(\w+)\[(?:(\d+)(?:\.\.(\d+))?)?\]$/.exec(action);
  if (load) return canonicalLoad(load);
  const set = /^set_field:(.+)->(\w+)$/.exec(action);
  if (set) return canonicalSetField(set[1]!, set[2]!);
  const simple = /^(output:)?(\w+)$/i.exec(action);
  if (simple && (simple[1] || /^(IN_PORT|TABLE|NORMAL|FLOOD|ALL|LOCAL)$/i.test(simple[2]!))) {
    const name = port(simple[2]!);
    return /^\d+$/.test(name) ? `output:${name}` : name;
  }
  const learn = /^learn\((.*)\)$/.exec(action);
  if (learn) return `learn(${canonicalLearn(learn[1]!)})`;
  return action;
}

function canonicalLoad(load: RegExpExecArray): string {
  const value = toNumber(load[1]!.trim());
  const field = FIELDS.get(load[2]!);
  if (value === null || !field) return load[0];
  const from = BigInt(load[3] ?? 0);
  const to = load[3] === undefined ? BigInt(field.bits - 1) : BigInt(load[4] ?? load[3]);
  const mask = ((1n << (to - from + 1n)) - 1n) << from;
  return setField(field.name, value << from, mask, field.bits);
}

function canonicalSetField(text: string, key: string): string {
  const name = SET_FIELD_NAMES.get(key) ?? key;
  const [value = "", mask] = text.split("/");
  const number = toNumber(value);
  const bits = WIDTHS.get(name);
  if (number === null || bits === undefined) return `set_field:${text}->${name}`;
  return setField(name, number, mask === undefined ? (1n << BigInt(bits)) - 1n : (toNumber(mask) ?? 0n), bits);
}

function setField(name: string, value: bigint, mask: bigint, bits: number): string {
  const full = mask === (1n << BigInt(bits)) - 1n;
  return `set_field:${hex(value & mask)}${full ? "" : `/${hex(mask)}`}->${name}`;
}

/** Options of learn() are printed in an order of Open vSwitch's own; the field specifications after them keep theirs. */
function canonicalLearn(text: string): string {
  const options: string[] = [];
  const specs: string[] = [];
  for (const part of splitTopLevel(text)) {
    const option =
      /^(table|priority|cookie|idle_timeout|hard_timeout|fin_idle_timeout|fin_hard_timeout|limit)=(\w+)$/.exec(part);
    const number = option && toNumber(option[2]!);
    if (option && number !== null) options.push(`${option[1]!}=${hex(number)}`);
    else if (/^(send_flow_rem|delete_learned|result_dst=.*)$/.test(part)) options.push(part);
    else specs.push(part);
  }
  return [...options.sort(), ...specs].join(",");
}
