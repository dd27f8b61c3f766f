/**
 * One spelling for each match, so that what was written can be compared with what Open vSwitch prints, which reorders fields
 * and prints numbers in hexadecimal. Called by diffFlows and by the encoder. Spellings follow ovs-fields(7).
 */
import { ALIASES, PROTOCOLS, WIDTHS } from "./fields";
import { splitTopLevel } from "./flow";
import { hex, portName, toNumber } from "./numbers";

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
  return [...matchFields(match)]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => (value === "" ? key : `${key}=${value}`))
    .join(",");
}

/**
 * Name → value of each field in one spelling: `0x5`, `0x1/0x3`, a port name, or "" for a keyword such as `ip`. IP and MAC
 * addresses are numbers too, every spelling of VLANs is `vlan_tci`.
 */
export function matchFields(match: string): Map<string, string> {
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
    if (name === "in_port") fields.set(name, portName(text));
    else {
      const value = masked(name, text);
      if (value !== null) fields.set(name, value);
    }
  }
  protocols(fields);
  vlan(fields);
  return fields;
}

/** dl_type and nw_proto as keywords: `dl_type=0x86dd,nw_proto=58` is printed as `icmp6`. */
function protocols(fields: Map<string, string>): void {
  const type = fields.get("dl_type");
  const family = type === undefined || type.includes("/") ? undefined : keyword(BigInt(type), undefined);
  if (family !== undefined) {
    fields.delete("dl_type");
    fields.set(family, "");
  }
  const proto = fields.get("nw_proto");
  if (proto === undefined || proto.includes("/")) return;
  for (const name of ["ip", "ipv6"]) {
    const word = fields.has(name) ? keyword(BigInt(PROTOCOLS.get(name)!.type), Number(proto)) : undefined;
    if (word === undefined) continue;
    fields.delete(name);
    fields.delete("nw_proto");
    fields.set(word, "");
  }
}

function keyword(type: bigint, protocol: number | undefined): string | undefined {
  for (const [name, known] of PROTOCOLS) if (BigInt(known.type) === type && known.protocol === protocol) return name;
  return undefined;
}

const VLAN_FIELDS = ["dl_vlan", "vlan_vid", "dl_vlan_pcp", "vlan_pcp", "vlan_tci"];

/** All spellings of the VLAN field (vlan_tci, vlan_vid, dl_vlan, dl_vlan_pcp) as `vlan_tci=value/mask`. */
function vlan(fields: Map<string, string>): void {
  if (!VLAN_FIELDS.some((name) => fields.has(name))) return;
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
