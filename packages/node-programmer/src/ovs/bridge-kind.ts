/**
 * What a bridge's pipeline is, which decides what may be done on it. Pure: from the database and the flows of others.
 * A bridge that switches by NORMAL is programmed, and OVN's integration bridge. On any other pipeline, Antrea's or one that
 * nobody has described, the flows are left alone, and copies are taken by Mirror rows of the database.
 */
import type { BridgeResult } from "@ovs-traffic-control/api";
import type { Flow } from "ovs-ofctl-wrapper";
import { MARKER_TABLE, PRIVATE_TABLES, isOurs, portKeys } from "../pipeline";
import type { Pipeline, PortKeys } from "../pipeline";
import type { BridgeView, OvsView } from "./view";

export interface BridgeKind {
  kind: BridgeResult["kind"];
  /** What makes its pipeline one without flows of ours; absent for Switched and OVN. */
  message?: string;
  /** Not even a flow that no packet meets has a place on it. */
  isFull?: true;
  /** On OVN: by what it knows its ports. */
  keys?: PortKeys;
  /** Some flow floods: our ports need no-flood besides their VLAN isolation. */
  floods: boolean;
}

/** What a bridge is programmed for; null: it is not, or has not been looked at. */
export function pipelineOf(kind: BridgeKind | undefined): Pipeline | null {
  if (kind === undefined) return null;
  if (kind.kind === "Switched" || kind.kind === "OVN") return kind.kind;
  return kind.isFull ? null : "MirrorRows";
}

/** The agent of Antrea works on it, which marks its ports (and wants ours marked, see Ports). */
export function isAntrea(bridge: BridgeView): boolean {
  return bridge.ports.some((port) => !port.ours && port.externalIds.has("antrea-type"));
}

/** It is OVN's integration bridge (ovn-controller(8)), whatever its flows are: those are a hundred thousand at times. */
export function isOvn(view: OvsView, bridge: string): boolean {
  return view.externalIds.has("ovn-remote") && (view.externalIds.get("ovn-bridge") ?? "br-int") === bridge;
}

/** Actions that make the packet another one than the frame we classified: a router, not a switch. */
const REWRITES = /\bdec_ttl\b|\bmod_dl_(src|dst)\b|->(eth_(src|dst)|NXM_OF_ETH_(SRC|DST)(\[\])?)(,|$)/;

/** `flows`: everything on the bridge, ours included; on OVN ours and those of table 65 are enough. */
export function kindOfBridge(view: OvsView, bridge: BridgeView, flows: readonly Flow[]): BridgeKind {
  const floods = flows.some((flow) => /(^|,|:)FLOOD\b/i.test(flow.actions));
  if (isOvn(view, bridge.name)) return { kind: "OVN", floods, keys: portKeys(flows) };
  const foreign = flows.filter((flow) => !isOurs(flow.cookie));
  const taken = foreign.find(usesMarkerTable);
  const full = taken ? ({ isFull: true } as const) : {};
  if (isAntrea(bridge)) return { kind: "Antrea", floods, ...full, message: `Bridge ${bridge.name} is Antrea's.` };
  const reason = whyUnknown(foreign);
  if (reason === null) return { kind: "Switched", floods };
  return { kind: "Unknown", floods, ...full, message: `Bridge ${bridge.name} has flows of its own kind: ${reason}` };
}

/** There the marker of ours stands on every bridge; a packet of theirs must not meet it. */
function usesMarkerTable({ table, actions }: Flow): boolean {
  return (
    table === MARKER_TABLE ||
    new RegExp(`goto_table:${MARKER_TABLE}\\b|resubmit\\([^)]*,${MARKER_TABLE}[,)]`).test(actions)
  );
}

function whyUnknown(foreign: readonly Flow[]): string | null {
  // Nothing at all: a bridge in secure mode that waits for its flows. Ours then lead into nothing, as everything does.
  if (foreign.length === 0) return null;
  const { first, last } = PRIVATE_TABLES;
  for (const flow of foreign) {
    const text = `table=${flow.table},priority=${flow.priority},${flow.match} actions=${flow.actions}`;
    if (flow.table >= first && flow.table <= last)
      return `tables ${first} to ${last} are ours, but there is a flow "${text}".`;
    if (/\breg14\b/i.test(flow.match) || /reg14\b/i.test(flow.actions))
      return `reg14 is ours, but there is a flow "${text}".`;
    if (/(^|,|:)ALL\b/.test(flow.actions))
      return `flow "${text}" sends to all ports, target ports included; use NORMAL or FLOOD.`;
    if (REWRITES.test(flow.actions)) return `flow "${text}" routes.`;
  }
  if (!foreign.some((flow) => /\bNORMAL\b/.test(flow.actions)))
    return "none of its flows has the action NORMAL, so it does not switch by MAC addresses.";
  return null;
}
