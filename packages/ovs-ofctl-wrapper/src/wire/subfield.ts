/** What several actions have in common: the head of Nicira's, and some bits of a field. Called by the action encoders. */
import { SUBFIELDS } from "../fields";
import type { Subfield } from "../fields";
import { toNumber } from "../numbers";
import type { Bytes } from "./bytes";

const EXPERIMENTER = 0xffff;
const NICIRA = 0x2320;

/** Head of a Nicira action of `length` bytes. */
export function nicira(bytes: Bytes, length: number, subtype: number): void {
  bytes.uint(EXPERIMENTER, 2).uint(length, 2).uint(NICIRA, 4).uint(subtype, 2);
}

/** Some bits of a field. */
export interface BitRange {
  field: Subfield;
  offset: number;
  count: number;
}

/** `NXM_NX_REG1[0..3]`, `NXM_OF_ETH_SRC[]`, `NXM_NX_REG1[5]`; null for anything else. */
export function readRange(text: string): BitRange | null {
  const found = /^(\w+)\[(?:(\d+)(?:\.\.(\d+))?)?\]$/.exec(text);
  const field = SUBFIELDS.get(found?.[1] ?? "");
  if (!found || !field) return null;
  const offset = Number(found[2] ?? 0);
  const last = found[2] === undefined ? field.bits - 1 : Number(found[3] ?? offset);
  return last < offset || last >= field.bits ? null : { field, offset, count: last - offset + 1 };
}

/** The number if it fits into `count` bits. */
export function fitting(text: string, count: number): bigint | null {
  const value = toNumber(text);
  return value === null || value >= 1n << BigInt(count) ? null : value;
}
