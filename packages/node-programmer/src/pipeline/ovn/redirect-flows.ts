/**
 * Redirects on OVN: taken away to a device, and put back. Called by compile.
 *
 * The sender's side of the way back is asked first. The other order would give a packet between two selected Pods to its
 * receiver at once, past OVN's ACLs: NetworkPolicy would be skipped.
 */
import type { Flow } from "ovs-ofctl-wrapper";
import { KIND, cookie, shortHash } from "../cookies";
import { RECEIVER, SENDER, hex } from "../flows";
import type { Home, Redirect } from "../input";
import { HAND_BACK, REDIRECT, RETURN } from "../tables";
import { FAMILIES, flow } from "./flows";
import * as T from "./tables";

/** The packet leaves through the target only, unless it has been inside a device on this node. */
export function isTakenAway({ uid, target, number }: Redirect): Flow[] {
  const fresh = `${T.MARK}=0/${T.mark(T.INSPECTED)}`;
  return [
    { ...SENDER, priority: 200 },
    { ...RECEIVER, priority: 100 },
  ].map(({ shift, mask, priority }) => ({
    table: REDIRECT,
    priority,
    cookie: cookie(KIND.redirect, shortHash(uid)),
    match: `${T.REDIRECT_REGISTER}=${hex(number << shift)}/${hex(mask)},${fresh}`,
    actions: target === null ? "drop" : `output:${target}`,
  }));
}

export function isNotTakenAway(): Flow {
  return flow(KIND.act, REDIRECT, 0, "", `goto_table:${HAND_BACK}`);
}

/** Only IP has been sent into the device. */
export function comesBack(ofport: number): Flow[] {
  return [
    ...FAMILIES.map((family) =>
      flow(KIND.return, T.PHYSICAL_TO_LOGICAL, 65530, `${family},in_port=${ofport}`, `goto_table:${RETURN}`),
    ),
    flow(KIND.return, T.PHYSICAL_TO_LOGICAL, 65520, `in_port=${ofport}`, "drop"),
  ];
}

/** Sent by a Pod whose packets are taken away: OVN gets it as if it came from the Pod just now. `set`: as in isSentByPod. */
export function wasSentBy({ ofport, macs }: Home, set: number | undefined): Flow[] {
  const mark = T.INSPECTED | (set === undefined ? 0 : T.COPIED | set);
  const actions = [
    `set_field:${T.mark(mark)}/${T.mark(T.WHOLE_MARK)}->${T.MARK}`,
    `set_field:${hex(T.SEEN)}->${T.SEEN_REGISTER}`,
    `set_field:${ofport}->in_port`,
    `resubmit(,${T.PHYSICAL_TO_LOGICAL})`,
  ].join(",");
  return macs.map((mac) => flow(KIND.return, RETURN, 200, `dl_src=${mac}`, actions));
}

/** Has passed OVN on its way to the Pod, ACLs included. */
export function wasFor({ ofport, macs }: Home): Flow[] {
  return macs.map((mac) => flow(KIND.return, RETURN, 100, `dl_dst=${mac}`, `output:${ofport}`));
}

/** Nobody's that we know: the device's own. */
export function isLost(): Flow {
  return flow(KIND.return, RETURN, 0, "", "drop");
}
