/**
 * By what OVN knows a port: its keys, read from OVN's own flow that delivers to the port. They change when a logical port is
 * bound anew, and another one may get them later. Pure. Called when a bridge's flows have been read.
 */
import { canonicalMatch } from "ovs-ofctl-wrapper";
import type { Flow } from "ovs-ofctl-wrapper";
import { isOurs } from "../cookies";
import { LOGICAL_TO_PHYSICAL } from "./tables";

/** OpenFlow port → the match of OVN's flow that outputs to it, `reg15=0x2,metadata=0x1`. */
export type PortKeys = ReadonlyMap<number, string>;

export function portKeys(flows: readonly Flow[]): PortKeys {
  const keys = new Map<number, string>();
  for (const { table, cookie, match, actions } of flows) {
    if (table !== LOGICAL_TO_PHYSICAL || isOurs(cookie)) continue;
    // A router's or switch's other end is a clone, no output.
    const outputs = [...actions.matchAll(/(?:^|,)output:(\d+)(?=,|$)/g)];
    const canonical = canonicalMatch(match);
    if (outputs.length !== 1 || !/^(metadata|reg15)=0x[0-9a-f]+,(metadata|reg15)=0x[0-9a-f]+$/.test(canonical))
      continue;
    keys.set(Number(outputs[0]![1]), canonical);
  }
  return keys;
}
