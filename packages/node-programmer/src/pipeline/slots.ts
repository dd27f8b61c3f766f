/**
 * Which bit of the registers stands for which rule on a bridge. A rule keeps its bit while it lives, also over a restart
 * of the programmer: else the removal of one rule would rewrite the flows of every Pod. Called before compile.
 */
import { canonicalMatch } from "ovs-ofctl-wrapper";
import { KIND, isOurs, kindOf, shortHash, valueOf } from "./cookies";
import { COPY, RULE_BITS } from "./tables";

/** Rule UID → bit. */
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
    if (flow.table !== COPY || !isOurs(flow.cookie) || kindOf(flow.cookie) !== KIND.copy) continue;
    const uid = byHash.get(valueOf(flow.cookie));
    const match = /(?:^|,)reg(\d+)=0x([0-9a-f]+)\/0x\2(?:,|$)/.exec(canonicalMatch(flow.match));
    if (uid === undefined || !match) continue;
    const bit = Number(match[1]) * 32 + Math.log2(parseInt(match[2]!, 16));
    if (Number.isInteger(bit) && ![...slots.values()].includes(bit)) slots.set(uid, bit);
  }
  return slots;
}
