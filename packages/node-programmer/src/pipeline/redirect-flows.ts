/**
 * The flows of redirects, by what a packet experiences: taken away to a device, and given its own place again when it comes
 * back. Called by compile, only on bridges that redirects have to do with.
 *
 * What comes back must look to table 0 as if it had never left, so it gets the in_port that it had: NORMAL would otherwise
 * learn the Pods' MAC addresses on the return port, and send their traffic there. That in_port is written down by learn()
 * when the packet leaves, by source MAC and VLAN ID, and is therefore right for machines elsewhere too, and for one that
 * has just moved. Where nothing is written down (the table has its limit, and a packet for which the datapath had a flow
 * already is not seen by learn()), a Pod's port is known from the plan, and what is for a Pod is delivered. The rest is the
 * device's own talk.
 */
import type { Flow } from "ovs-ofctl-wrapper";
import { KIND, cookie, shortHash } from "./cookies";
import { RECEIVER, SENDER, atEntry, hex } from "./flows";
import type { Home, Redirect, Relay, Visitor } from "./input";
import * as T from "./tables";

/** Seconds without a packet of a sender after which its way back is forgotten. */
const FORGOTTEN_AFTER = 300;
/** Senders that are remembered on a bridge. */
const MOST_SENDERS = 4096;

/** What comes back through a return port is asked for its way; only IP has been sent there. */
export function comesBack(ofport: number): Flow[] {
  const find = `set_field:${hex(T.COMING_BACK)}/${hex(T.WAY_BACK)}->${T.MARK_REGISTER},resubmit(,${T.LEARNED}),goto_table:${T.RETURN}`;
  return [
    atEntry(300, `ip,in_port=${ofport}`, find),
    atEntry(300, `ipv6,in_port=${ofport}`, find),
    atEntry(290, `in_port=${ofport}`, "drop"),
  ];
}

/** `found`: what is done with a packet of this sender that comes back. Spelled as Open vSwitch prints it. */
function remember(found: string): string {
  const options = [
    `table=${T.LEARNED}`,
    `idle_timeout=${FORGOTTEN_AFTER}`,
    "priority=100",
    `cookie=${hex64(cookie(KIND.learned))}`,
    `limit=${MOST_SENDERS}`,
  ];
  return `learn(${[...options, "NXM_OF_ETH_SRC[]", "NXM_OF_VLAN_TCI[0..11]", found].join(",")})`;
}

const INTO_PLACE = "load:NXM_OF_IN_PORT[]->NXM_OF_IN_PORT[],load:0->NXM_NX_REG14[2..3]";
const TO_ITS_BRIDGE = "load:0x2->NXM_NX_REG14[2..3],output:NXM_OF_IN_PORT[]";

/** A redirected packet from another bridge leaves through the target here, and goes back there when it has come back. */
export function arrivesToBeInspected({ from, target }: Relay): Flow {
  return atEntry(300, `in_port=${from}`, `${remember(TO_ITS_BRIDGE)},output:${target}`);
}

/** The packet leaves through the target only. The sender's redirect comes before the receiver's. */
export function isTakenAway({ uid, target, number }: Redirect): Flow[] {
  return [
    { ...SENDER, priority: 200 },
    { ...RECEIVER, priority: 100 },
  ].map(({ shift, mask, priority }) => ({
    table: T.REDIRECT,
    priority,
    cookie: cookie(KIND.redirect, shortHash(uid)),
    match: `${T.REDIRECT_REGISTER}=${hex(number << shift)}/${hex(mask)}`,
    actions: target === null ? "drop" : `${remember(INTO_PLACE)},output:${target}`,
  }));
}

export function isNotTakenAway(): Flow {
  return {
    table: T.REDIRECT,
    priority: 0,
    cookie: cookie(KIND.act),
    match: "",
    actions: `set_field:0->${T.REDIRECT_REGISTER},goto_table:${T.HAND_BACK}`,
  };
}

function onReturn(priority: number, match: string, actions: string): Flow {
  return { table: T.RETURN, priority, cookie: cookie(KIND.return), match, actions };
}

/** LEARNED has put it in its place, or has sent it on to its bridge. */
export function knowsItsWay(): Flow[] {
  const is = (state: number): string => `${T.MARK_REGISTER}=${state === 0 ? "0" : hex(state)}/${hex(T.WAY_BACK)}`;
  return [onReturn(300, is(T.AT_HOME), `goto_table:${T.HAND_BACK}`), onReturn(300, is(T.GONE_ON), "drop")];
}

/** Sent by a local Pod: as if it came from its port just now. */
export function isFromHere({ ofport, macs, frames }: Home): Flow[] {
  const actions = `set_field:${ofport}->in_port,goto_table:${T.HAND_BACK}`;
  return macs.flatMap((mac) =>
    frames === "any"
      ? [onReturn(190, `dl_src=${mac}`, actions)]
      : frames.map((vlan) => onReturn(200, `${frame(vlan)},dl_src=${mac}`, actions)),
  );
}

/** For a local Pod, from an unknown sender: to its port, without the tag that the port would take off. */
export function isForHere({ ofport, macs, frames, native }: Home): Flow[] {
  return macs.flatMap((mac) => [
    ...(native === 0 ? [] : [onReturn(110, `dl_vlan=${native},dl_dst=${mac}`, `pop_vlan,output:${ofport}`)]),
    ...(frames === "any"
      ? [onReturn(90, `dl_dst=${mac}`, `output:${ofport}`)]
      : frames.map((vlan) => onReturn(100, `${frame(vlan)},dl_dst=${mac}`, `output:${ofport}`))),
  ]);
}

/** Sent by a Pod of another bridge, or for one: that bridge knows more. */
export function isFromBeyond({ by, macs }: Visitor): Flow[] {
  return macs.flatMap((mac) => [
    onReturn(180, `dl_src=${mac}`, `output:${by}`),
    onReturn(80, `dl_dst=${mac}`, `output:${by}`),
  ]);
}

/** Nobody's that we know: the device's own. */
export function isLost(): Flow {
  return onReturn(0, "", "drop");
}

function frame(vlan: number): string {
  return vlan === 0 ? "vlan_tci=0x0000/0x0fff" : `dl_vlan=${vlan}`;
}

function hex64(value: bigint): string {
  return `0x${value.toString(16)}`;
}
