/**
 * Which bit of the registers stands for which rule on a bridge. A rule keeps its bit while it lives, also over a restart
 * of the programmer: else the removal of one rule would rewrite the flows of every Pod. Called before compile.
 */
import { canonicalMatch } from "ovs-ofctl-wrapper";
import { KIND, isOurs, kindOf, shortHash, valueOf } from "./cookies";
import { COPY, REDIRECT, RULE_BITS } from "./tables";

/** Rule UID → bit. A redirect has one too: it is known to the flows by the number after its bit. */
export type Slots = ReadonlyMap<string, number>;

/**
 * Bits for `uids` (in order of precedence): those of `previous` stay, new rules take the lowest free ones. A rule without
 * a bit in the result found no room; the youngest are the ones that do not fit.
 */
export function assignSlots(previous: Slots, uids: readonly string[], room: number = RULE_BITS): Slots {
  const slots = new Map<string, number>();
  const taken = new Set<number>();
  for (const uid of uids) {
    const bit = previous.get(uid);
    if (bit === undefined || bit >= room) continue;
    slots.set(uid, bit);
    taken.add(bit);
  }
  let next = 0;
  for (const uid of uids) {
    if (slots.has(uid)) continue;
    while (taken.has(next)) next++;
    if (next >= room) break;
    slots.set(uid, next);
    taken.add(next);
  }
  return slots;
}

/** The bits that a former programmer's flows use, read back from a dump. */
export function slotsInForce(
  flows: readonly { table: number; cookie: bigint; match: string }[],
  uids: readonly string[],
): Slots {
  const byHash = new Map(uids.map((uid) => [shortHash(uid), uid]));
  const slots = new Map<string, number>();
  for (const flow of flows) {
    if (!isOurs(flow.cookie)) continue;
    const uid = byHash.get(valueOf(flow.cookie));
    const bit = bitOf(flow);
    if (uid === undefined || bit === null) continue;
    if (Number.isInteger(bit) && ![...slots.values()].includes(bit)) slots.set(uid, bit);
  }
  return slots;
}

function bitOf({ table, cookie, match }: { table: number; cookie: bigint; match: string }): number | null {
  if (table === COPY && kindOf(cookie) === KIND.copy) {
    const [, register, bit] = /(?:^|,)reg(\d+)=0x([0-9a-f]+)\/0x\2(?:,|$)/.exec(canonicalMatch(match)) ?? [];
    return bit === undefined ? null : Number(register) * 32 + Math.log2(parseInt(bit, 16));
  }
  if (table === REDIRECT && kindOf(cookie) === KIND.redirect) {
    const [, number] = /(?:^|,)reg(?:8|12)=0x([0-9a-f]+)\/0xffff(?:,|$)/.exec(canonicalMatch(match)) ?? [];
    return number === undefined ? null : parseInt(number, 16) - 1;
  }
  return null;
}

/** Redirects that act on a bridge: their packets do not go past the device any more, even if a port of theirs is missing. */
export function engagedRedirects(flows: readonly { cookie: bigint }[], uids: readonly string[]): Set<string> {
  const hashes = new Set(
    flows.flatMap(({ cookie }) => (isOurs(cookie) && kindOf(cookie) === KIND.redirect ? [valueOf(cookie)] : [])),
  );
  return new Set(uids.filter((uid) => hashes.has(shortHash(uid))));
}
