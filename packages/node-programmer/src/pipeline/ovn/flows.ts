/**
 * Our flows on OVN's integration bridge, by what a packet experiences, up to the copies. Spelled as Open vSwitch prints them.
 * Called by compile; where the tables stand is in tables.ts.
 */
import type { Flow } from "ovs-ofctl-wrapper";
import { KIND, cookie, shortHash } from "../cookies";
import type { Kind } from "../cookies";
import { RECEIVER, SENDER, hex } from "../flows";
import type { CarriedTunnel, Tap } from "../input";
import { ACT, COPY, DESTINATION, ENTRY, HAND_BACK, REDIRECT, SOURCE } from "../tables";
import * as T from "./tables";

const HIGHEST = 65535;
export const FAMILIES = ["ip", "ipv6"] as const;

export function flow(kind: Kind, table: number, priority: number, match: string, actions: string): Flow {
  return { table, priority, cookie: cookie(kind), match, actions };
}

/** What a packet is wanted for because of one of its ends. */
export interface Wants {
  copies: readonly number[];
  redirect: number | undefined;
}

function want({ copies, redirect }: Wants, end: typeof SENDER | typeof RECEIVER): string[] {
  const words = new Map<number, number>();
  for (const bit of copies) words.set(Math.floor(bit / 32), (words.get(Math.floor(bit / 32)) ?? 0) | (1 << bit % 32));
  const actions = [...words]
    .sort(([a], [b]) => a - b)
    .map(([word, mask]) => `set_field:${hex(mask)}/${hex(mask)}->reg${word}`);
  if (words.size > 0) actions.push(`set_field:${hex(T.WANTED)}/${hex(T.WANTED)}->${T.STATE_REGISTER}`);
  if (redirect !== undefined)
    actions.push(`set_field:${hex(redirect << end.shift)}/${hex(end.mask)}->${T.REDIRECT_REGISTER}`);
  return actions;
}

function zeroed(registers: number): string[] {
  const rules = Array.from({ length: registers }, (_, index) => `reg${index}`);
  return [...rules, T.ALREADY_REGISTER, T.REDIRECT_REGISTER].map((register) => `set_field:0->${register}`);
}

/** Nothing that a collector sends back is traffic of the cluster. */
export function isInjectedByTarget(ofport: number): Flow {
  return flow(KIND.entry, T.PHYSICAL_TO_LOGICAL, HIGHEST, `in_port=${ofport}`, "drop");
}

/** A copy from another bridge of this node leaves through the target at once. */
export function arrivesFromAnotherBridge({ from, target }: { from: number; target: number }): Flow {
  return flow(KIND.entry, T.PHYSICAL_TO_LOGICAL, HIGHEST, `in_port=${from}`, `output:${target}`);
}

/** Sent by a selected Pod just now. */
export function leavesPod(ofport: number): Flow[] {
  const match = `${T.SEEN_REGISTER}=0,in_port=${ofport}`;
  return FAMILIES.map((family) =>
    flow(KIND.steer, T.PHYSICAL_TO_LOGICAL, 65500, `${family},${match}`, `goto_table:${ENTRY}`),
  );
}

/**
 * Routed, translated and allowed: OVN is about to deliver it to a selected Pod. The MAC address is compared, too: another Pod
 * that gets the port's key has another one, and broadcasts are nobody's.
 */
export function reachesPod(key: string, mac: string, registers: number, leavesByGeneve: boolean): Flow[] {
  const match = `${T.FLAGS_REGISTER}=0/${hex(T.LOOKED_AT)},${key},dl_dst=${mac}`;
  const actions = [
    // What came from another node has it still; on its way to the Pod nobody asks for it any more.
    ...(leavesByGeneve ? [`delete_field:${T.PORTS_OPTION}`] : []),
    ...zeroed(registers),
    `set_field:${hex(T.RECEIVED)}->${T.STATE_REGISTER}`,
    `goto_table:${ENTRY}`,
  ].join(",");
  return FAMILIES.map((family) => flow(KIND.steer, T.LOGICAL_TO_PHYSICAL, HIGHEST, `${family},${match}`, actions));
}

/** A copy in a tunnel to its collector is not copied again. */
export function isCopyOnItsWay({ remoteIP, udpPort }: CarriedTunnel): Flow {
  const v6 = remoteIP.includes(":");
  const destination = `${v6 ? "ipv6_dst" : "nw_dst"}=${remoteIP}`;
  const match =
    udpPort === null
      ? `${v6 ? "ipv6" : "ip"},${destination},nw_proto=47`
      : `${v6 ? "udp6" : "udp"},${destination},tp_dst=${udpPort}`;
  return flow(KIND.entry, ENTRY, 250, match, `goto_table:${HAND_BACK}`);
}

export function isNeighbourDiscovery(): Flow[] {
  return [133, 134, 135, 136, 137].map((type) =>
    flow(KIND.entry, ENTRY, 200, `icmp6,icmp_type=${type}`, `goto_table:${HAND_BACK}`),
  );
}

export function isLookedAt(): Flow {
  return flow(KIND.entry, ENTRY, 0, "", `goto_table:${T.ALREADY}`);
}

/** A selected Pod of this bridge has sent it, and these targets have had their copy then. `targets`: bits. */
export function hasBeenCopied(set: number, targets: readonly number[]): Flow {
  const bits = targets.reduce((sum, bit) => sum | (1 << bit), 0);
  return flow(
    KIND.vlan,
    T.ALREADY,
    100,
    `${T.STATE_REGISTER}=${hex(T.RECEIVED)}/${hex(T.RECEIVED)},${T.MARK}=${copied(set)}/${T.mark(T.COPIED_MASK)}`,
    `set_field:${hex(bits)}->${T.ALREADY_REGISTER},goto_table:${SOURCE}`,
  );
}

export function hasNotBeenCopied(): Flow {
  return flow(KIND.vlan, T.ALREADY, 0, "", `goto_table:${SOURCE}`);
}

function copied(set: number): string {
  return T.mark(T.COPIED | set);
}

/** `set`: number of the set of targets that get a copy now, undefined if nobody has to know. */
export function isSentByPod(ofport: number, wants: Wants, set: number | undefined): Flow {
  const mark = set === undefined ? [] : [`set_field:${copied(set)}/${T.mark(T.COPIED_MASK)}->${T.MARK}`];
  const actions = [...want(wants, SENDER), ...mark, `goto_table:${ACT}`].join(",");
  return flow(KIND.source, SOURCE, 100, `${T.STATE_REGISTER}=0/${hex(T.RECEIVED)},in_port=${ofport}`, actions);
}

export function isReceived(): Flow {
  return flow(KIND.source, SOURCE, 0, "", `goto_table:${DESTINATION}`);
}

export function isForPod(key: string, wants: Wants): Flow {
  return flow(KIND.destination, DESTINATION, 100, key, [...want(wants, RECEIVER), `goto_table:${ACT}`].join(","));
}

export function isForSomebodyElse(): Flow {
  return flow(KIND.destination, DESTINATION, 0, "", `goto_table:${HAND_BACK}`);
}

/** Each target is asked for once. */
export function isWanted(targets: readonly number[]): Flow {
  return flow(
    KIND.act,
    ACT,
    100,
    `${T.STATE_REGISTER}=${hex(T.WANTED)}/${hex(T.WANTED)}`,
    [...targets.map((target) => `resubmit(${target},${COPY})`), `goto_table:${REDIRECT}`].join(","),
  );
}

export function isNotWanted(): Flow {
  return flow(KIND.act, ACT, 0, "", `goto_table:${REDIRECT}`);
}

/** The rule's bit is set, and the target has not had it when it was sent. `target`: the target's bit, undefined beyond MOST_TARGETS. */
export function isCopied({ uid, target, bit }: Tap, rank: number, targetBit: number | undefined): Flow {
  const mask = hex(1 << bit % 32);
  const fresh = targetBit === undefined ? "" : `${T.ALREADY_REGISTER}=0/${hex(1 << targetBit)},`;
  return {
    table: COPY,
    priority: 10000 - rank,
    cookie: cookie(KIND.copy, shortHash(uid)),
    match: `reg${Math.floor(bit / 32)}=${mask}/${mask},${fresh}in_port=${target}`,
    actions: `output:${target}`,
  };
}

/** It goes on where it was: into OVN's pipeline, or, past it, to the Pod. */
export function goesItsOwnWay(registers: number): Flow[] {
  const clean = [...zeroed(registers), `set_field:0->${T.STATE_REGISTER}`];
  const looked = hex(T.LOOKED_AT);
  return [
    flow(
      KIND.handBack,
      HAND_BACK,
      10,
      `${T.STATE_REGISTER}=${hex(T.RECEIVED)}/${hex(T.RECEIVED)}`,
      [
        ...clean,
        `set_field:${looked}/${looked}->${T.FLAGS_REGISTER}`,
        `resubmit(,${T.LOGICAL_TO_PHYSICAL})`,
        `set_field:0/${looked}->${T.FLAGS_REGISTER}`,
      ].join(","),
    ),
    flow(
      KIND.handBack,
      HAND_BACK,
      0,
      "",
      [...clean, `set_field:${hex(T.SEEN)}->${T.SEEN_REGISTER}`, `resubmit(,${T.PHYSICAL_TO_LOGICAL})`].join(","),
    ),
  ];
}
