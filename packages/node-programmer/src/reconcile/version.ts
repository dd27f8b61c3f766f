/**
 * Which bundle of ours was the last one on a bridge: each leaves another version in the marker, and takes the one that it
 * was made for away; if that is not there any more, Open vSwitch refuses the whole bundle. So a programmer that has lost its
 * node between a look at the lock and its bundle changes nothing: OpenFlow itself knows no lock. Pure; called by BridgeFlows.
 */
import { randomInt } from "node:crypto";
import type { Flow, FlowChange } from "ovs-ofctl-wrapper";
import { KIND, kindOf, marksThePlan } from "../pipeline";

const VERSIONS = 2 ** 32;
const { match: ANY_VERSION } = marksThePlan("");

export function isMarker(flow: { cookie: bigint }): boolean {
  return kindOf(flow.cookie) === KIND.marker;
}

/**
 * The marker in a version of its own. Two versions are two flows, but any packet with reg0=0 matches both: that is an
 * overlap, which an add can be told not to make.
 */
export function newVersion(marker: Flow): Flow {
  return { ...marker, match: `reg0=0/0x${randomInt(1, VERSIONS).toString(16)},${ANY_VERSION}` };
}

/** The steps that a bundle begins with: from the versions that are there, as far as we know, to the next one; null for none. */
export function changeOfVersion(before: readonly Flow[], next: Flow | null): FlowChange[] {
  return next === null ? deletionOf(before) : [...deletionOf(before), { kind: "add", checkOverlap: true, ...next }];
}

export function deletionOf(flows: readonly Flow[]): FlowChange[] {
  return flows.map(({ table, priority, match, cookie }) => ({ kind: "deleteStrict", table, priority, match, cookie }));
}

/** Whether a bundle was refused because somebody else's was the last one. */
export function isOvertaken({ stderr }: { stderr: string }): boolean {
  return stderr.includes("OFPFMFC_OVERLAP");
}
