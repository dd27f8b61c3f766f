/** A match as ofp_match with OXM fields (OpenFlow 1.5, section 7.2.3). Called by the flow-mod encoder. */
import { matchFields } from "../canonical-match";
import { MATCH_FIELDS, PROTOCOLS } from "../fields";
import type { Bytes } from "./bytes";

const IN_PORT = 0x80000000;
const ETH_TYPE = 0x80000a00;
const VLAN_VID = 0x80000c00;
const VLAN_PCP = 0x80000e00;
const IP_PROTO = 0x80001400;
/** OFPP_LOCAL. Other reserved ports do not send packets. */
const LOCAL = 0xfffffffe;

/** Writes the match; false if it has anything that this encoder does not know, or that Open vSwitch would take otherwise. */
export function writeMatch(bytes: Bytes, match: string): boolean {
  const start = bytes.length;
  bytes.uint(1, 2).zeros(2);
  const fields = match === "" ? new Map<string, string>() : matchFields(match);
  if (!writeFields(bytes, fields)) return false;
  bytes.setLength(start + 2, start);
  bytes.pad(start);
  return true;
}

function writeFields(bytes: Bytes, fields: Map<string, string>): boolean {
  const port = fields.get("in_port");
  if (port !== undefined) {
    if (port !== "LOCAL" && !/^\d+$/.test(port)) return false;
    bytes.uint(IN_PORT + 4, 4).uint(port === "LOCAL" ? LOCAL : Number(port), 4);
    fields.delete("in_port");
  }
  let keyword = "";
  for (const [name, value] of fields) if (value === "") keyword = name;
  const protocol = PROTOCOLS.get(keyword);
  if (protocol) {
    fields.delete(keyword);
    bytes.uint(ETH_TYPE + 2, 4).uint(protocol.type, 2);
  }
  if (!writeVlan(bytes, fields)) return false;
  if (protocol?.protocol !== undefined) bytes.uint(IP_PROTO + 1, 4).uint(protocol.protocol, 1);
  for (const [name, { oxm, bytes: size, needs }] of MATCH_FIELDS) {
    if (fields.size === 0) return true;
    const text = fields.get(name);
    if (text === undefined || (needs && !needs.includes(keyword))) continue;
    if (!writeField(bytes, oxm, size, text)) return false;
    fields.delete(name);
  }
  return fields.size === 0;
}

/** As ovs-ofctl does it: the tag with the "present" bit as one field, the priority only behind a tag. */
function writeVlan(bytes: Bytes, fields: Map<string, string>): boolean {
  const text = fields.get("vlan_tci");
  if (text === undefined) return true;
  fields.delete("vlan_tci");
  const [value = 0, mask = 0] = text.split("/").map(Number);
  const vid = mask & 0x1fff;
  if (vid === 0x1fff) bytes.uint(VLAN_VID + 2, 4).uint(value & vid, 2);
  else if (vid !== 0)
    bytes
      .uint(VLAN_VID + 0x100 + 4, 4)
      .uint(value & vid, 2)
      .uint(vid, 2);
  if ((mask & 0xe000) === 0) return true;
  if ((value & 0x1fff) === 0) return false;
  bytes.uint(VLAN_PCP + 1, 4).uint(value >> 13, 1);
  return true;
}

function writeField(bytes: Bytes, oxm: number, size: number, text: string): boolean {
  const [value = "", mask] = text.split("/");
  if (mask === undefined && size <= 6) {
    const number = Number(value);
    if (!(number < 2 ** (8 * size))) return false;
    bytes.uint(oxm + size, 4).uint(number, size);
    return true;
  }
  const limit = 1n << BigInt(8 * size);
  if (!value.startsWith("0x") || BigInt(value) >= limit) return false;
  if (mask === undefined) {
    bytes.uint(oxm + size, 4).big(BigInt(value), size);
    return true;
  }
  // One-byte fields have no masks in OpenFlow.
  if (size === 1 || !mask.startsWith("0x") || BigInt(mask) >= limit) return false;
  const all = BigInt(mask) === limit - 1n;
  bytes.uint(all ? oxm + size : oxm + 0x100 + 2 * size, 4).big(BigInt(value) & BigInt(mask), size);
  if (!all) bytes.big(BigInt(mask), size);
  return true;
}
