/**
 * The flows, by what a packet experiences. Texts are spelled the way Open vSwitch prints them, so that a golden file, a
 * dump and the source can be compared by eye. Called by compile.
 */
import type { Flow } from "ovs-ofctl-wrapper";
import { KIND, cookie, shortHash } from "./cookies";
import type { CarriedTunnel, PodPort, TaggedPort, Tap } from "./input";
import * as T from "./tables";

const HIGHEST = 65535;

export function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}

/** Who redirects a packet: its sender's rule, or its receiver's. Each has a half of the register. */
export const SENDER = { shift: 0, mask: 0xffff } as const;
export const RECEIVER = { shift: 16, mask: 0xffff0000 } as const;

/** What a packet is wanted for because of one of its ends. */
export interface Wants {
  copies: readonly number[];
  redirect: number | undefined;
}

/** `set_field:0x5/0x5->reg0`: sets the bits of the rules, leaves the others. One action per register. */
function want({ copies, redirect }: Wants, end: typeof SENDER | typeof RECEIVER): string {
  const actions = [...copyActions(copies)];
  if (redirect !== undefined)
    actions.push(`set_field:${hex(redirect << end.shift)}/${hex(end.mask)}->${T.REDIRECT_REGISTER}`);
  return actions.join(",");
}

/** Pods with the same rules share one array of bits, which never changes. */
const spelled = new WeakMap<readonly number[], readonly string[]>();

function copyActions(bits: readonly number[]): readonly string[] {
  const actions = spelled.get(bits) ?? wantCopies(bits);
  spelled.set(bits, actions);
  return actions;
}

function wantCopies(bits: readonly number[]): string[] {
  const words = new Map<number, number>();
  for (const bit of bits) {
    const word = Math.floor(bit / 32);
    words.set(word, (words.get(word) ?? 0) | (1 << bit % 32));
  }
  if (words.size === 0) return [];
  const actions = [...words]
    .sort(([a], [b]) => a - b)
    .map(([word, mask]) => `set_field:${hex(mask)}/${hex(mask)}->reg${word}`);
  return [...actions, `set_field:${hex(T.WANTED)}/${hex(T.WANTED)}->${T.MARK_REGISTER}`];
}

/** Every packet that has not been here goes through the private tables first. The one flow in the shared table. */
export function isSteeredHere(): Flow {
  return {
    table: T.STEER,
    priority: HIGHEST,
    cookie: cookie(KIND.steer),
    match: `${T.MARK_REGISTER}=0/${hex(T.SEEN)}`,
    actions: `goto_table:${T.ENTRY}`,
  };
}

export function atEntry(priority: number, match: string, actions: string): Flow {
  return { table: T.ENTRY, priority, cookie: cookie(KIND.entry), match, actions };
}

/** A copy from another bridge of this node leaves through the target at once. */
export function arrivesFromAnotherBridge({ from, target }: { from: number; target: number }): Flow {
  return atEntry(300, `in_port=${from}`, `output:${target}`);
}

/** What a collector or an inspection device sends back through a target is not traffic of the cluster. */
export function isInjectedByTarget(ofport: number): Flow {
  return atEntry(290, `in_port=${ofport}`, "drop");
}

/** The same where the pipeline is not ours: before anybody else sees it. */
export function isInjectedBesideMirrors(ofport: number): Flow {
  return {
    table: T.STEER,
    priority: HIGHEST,
    cookie: cookie(KIND.entry),
    match: `in_port=${ofport}`,
    actions: "drop",
  };
}

/** A switch floods to all members of a bond; the frame has come, or will come, by the active one too. */
export function arrivesByIdleMember(ofport: number): Flow {
  return atEntry(280, `in_port=${ofport}`, `goto_table:${T.HAND_BACK}`);
}

/** A copy in a tunnel to its collector is not copied again, even if the collector is a selected Pod. */
export function isCopyOnItsWay({ remoteIP, udpPort }: CarriedTunnel): Flow {
  const v6 = remoteIP.includes(":");
  const destination = `${v6 ? "ipv6_dst" : "nw_dst"}=${remoteIP}`;
  const match =
    udpPort === null
      ? `${v6 ? "ipv6" : "ip"},${destination},nw_proto=47`
      : `${v6 ? "udp6" : "udp"},${destination},tp_dst=${udpPort}`;
  return atEntry(250, match, `goto_table:${T.HAND_BACK}`);
}

/** Neighbour discovery (ICMPv6 133 to 137) is never copied. ARP is not IP and passes by anyway. */
export function isNeighbourDiscovery(): Flow[] {
  return [133, 134, 135, 136, 137].map((type) => atEntry(200, `icmp6,icmp_type=${type}`, `goto_table:${T.HAND_BACK}`));
}

/** IP is looked at, anything else passes by. */
export function isIP(): Flow[] {
  return [
    atEntry(100, "ip", `goto_table:${T.VLAN}`),
    atEntry(100, "ipv6", `goto_table:${T.VLAN}`),
    atEntry(0, "", `goto_table:${T.HAND_BACK}`),
  ];
}

/** An untagged (or priority-tagged) frame of a port with a tag is in the tag's VLAN. */
export function entersByTaggedPort({ ofport, tag, tunnel }: TaggedPort): Flow {
  return {
    table: T.VLAN,
    priority: 100,
    cookie: cookie(KIND.vlan),
    match: tunnel ? `in_port=${ofport}` : `in_port=${ofport},vlan_tci=0x0000/0x0fff`,
    actions: `set_field:${hex(tag)}->${T.VLAN_REGISTER},goto_table:${T.SOURCE}`,
  };
}

/** Any other frame is in the VLAN that it says, 0 for none. */
export function carriesItsVlan(): Flow {
  return {
    table: T.VLAN,
    priority: 0,
    cookie: cookie(KIND.vlan),
    match: "",
    actions: `move:NXM_OF_VLAN_TCI[0..11]->NXM_NX_REG13[0..11],goto_table:${T.SOURCE}`,
  };
}

/** Sent by a selected Pod. */
export function isSentByPod({ ofport, egress, egressRedirect }: PodPort): Flow {
  return {
    table: T.SOURCE,
    priority: 100,
    cookie: cookie(KIND.source),
    match: `in_port=${ofport}`,
    actions: `${want({ copies: egress, redirect: egressRedirect }, SENDER)},goto_table:${T.DESTINATION}`,
  };
}

export function isSentBySomebodyElse(): Flow {
  return {
    table: T.SOURCE,
    priority: 0,
    cookie: cookie(KIND.source),
    match: "",
    actions: `goto_table:${T.DESTINATION}`,
  };
}

/** Addressed to a selected Pod, in its VLAN. A MAC in "any" VLAN gives way to the same MAC in a named one. */
export function isForPod(vlan: number | "any", mac: string, wants: Wants): Flow {
  return {
    table: T.DESTINATION,
    priority: vlan === "any" ? 90 : 100,
    cookie: cookie(KIND.destination),
    match: vlan === "any" ? `dl_dst=${mac}` : `${T.VLAN_REGISTER}=${vlan === 0 ? "0" : hex(vlan)},dl_dst=${mac}`,
    actions: `${want(wants, RECEIVER)},goto_table:${T.ACT}`,
  };
}

export function isForSomebodyElse(): Flow {
  return {
    table: T.DESTINATION,
    priority: 0,
    cookie: cookie(KIND.destination),
    match: "",
    actions: `goto_table:${T.ACT}`,
  };
}

/** Each target is asked for once, so a packet is copied once to it, however many rules and Pods want that. `next`: its table. */
export function isWanted(targets: readonly number[], next: number): Flow {
  return {
    table: T.ACT,
    priority: 100,
    cookie: cookie(KIND.act),
    match: `${T.MARK_REGISTER}=${hex(T.WANTED)}/${hex(T.WANTED)}`,
    actions: [...targets.map((target) => `resubmit(${target},${T.COPY})`), `goto_table:${next}`].join(","),
  };
}

export function isNotWanted(next: number): Flow {
  return { table: T.ACT, priority: 0, cookie: cookie(KIND.act), match: "", actions: `goto_table:${next}` };
}

/** The rule's bit is set: a copy leaves. `rank` is the rule's place among those with the same target, 0 first. */
export function isCopied({ uid, target, bit }: Tap, rank: number): Flow {
  const mask = hex(1 << bit % 32);
  return {
    table: T.COPY,
    priority: 10000 - rank,
    cookie: cookie(KIND.copy, shortHash(uid)),
    match: `reg${Math.floor(bit / 32)}=${mask}/${mask},in_port=${target}`,
    actions: `output:${target}`,
  };
}

/** Back to table 0 with the mark, as if it had never been here: the administrator's flows see the packet as it came. */
export function goesItsOwnWay(registers: number, mayComeBack: boolean): Flow {
  const zeroed = Array.from({ length: registers }, (_, index) => `set_field:0->reg${index}`);
  const mark = T.SEEN | T.WANTED | (mayComeBack ? T.WAY_BACK : 0);
  return {
    table: T.HAND_BACK,
    priority: 0,
    cookie: cookie(KIND.handBack),
    match: "",
    actions: [
      ...zeroed,
      `set_field:0->${T.VLAN_REGISTER}`,
      `set_field:${hex(T.SEEN)}/${hex(mark)}->${T.MARK_REGISTER}`,
      "resubmit(,0)",
    ].join(","),
  };
}

/** No packet: a packet with the mark never reaches this table. Its cookie says which plan the bridge's flows are. */
export function marksThePlan(planHash: string): Flow {
  return {
    table: T.HAND_BACK,
    priority: 1,
    cookie: cookie(KIND.marker, shortHash(planHash)),
    match: `${T.MARK_REGISTER}=${hex(T.SEEN)}/${hex(T.SEEN)}`,
    actions: "drop",
  };
}
