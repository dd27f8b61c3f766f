/**
 * Cookies of our flows: `0x5443` ("TC") in the top 16 bits, a value of 32 bits, the kind in the low 16.
 * They are stable: the same flow has the same cookie whatever the rest of the plan says, so that a change of one Pod
 * touches its flows only and counters go on. The plan's hash is in one flow's cookie alone, the marker's.
 */
import { createHash } from "node:crypto";

const OWNER = 0x5443n;

/** Filter for everything that is ours: `cookie=OWN_COOKIE/OWN_COOKIE_MASK`. */
export const OWN_COOKIE = OWNER << 48n;
export const OWN_COOKIE_MASK = 0xffffn << 48n;

/** What a flow is for. The numbers are on the bridges of running clusters: never reuse one. */
export const KIND = {
  marker: 1,
  steer: 2,
  entry: 3,
  vlan: 4,
  source: 5,
  destination: 6,
  act: 7,
  copy: 8,
  handBack: 9,
  redirect: 10,
  /** Made by learn(), never by us: no difference to what is wanted. */
  learned: 11,
  return: 12,
} as const;
export type Kind = (typeof KIND)[keyof typeof KIND];

export function cookie(kind: Kind, value = 0): bigint {
  return OWN_COOKIE | (BigInt(value >>> 0) << 16n) | BigInt(kind);
}

export function isOurs(flowCookie: bigint): boolean {
  return (flowCookie & OWN_COOKIE_MASK) === OWN_COOKIE;
}

export function kindOf(flowCookie: bigint): number {
  return Number(flowCookie & 0xffffn);
}

/** The 32 bits in the middle: a rule, or the plan's hash in the marker. */
export function valueOf(flowCookie: bigint): number {
  return Number((flowCookie >> 16n) & 0xffffffffn);
}

/** A rule's or a plan's 32 bits in a cookie, from its UID or hash. */
export function shortHash(text: string): number {
  return createHash("sha256").update(text).digest().readUInt32BE(0);
}
