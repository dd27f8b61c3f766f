/**
 * What a bridge's pipeline is, which decides what may be done on it. Pure: from the database and the flows of others.
 * A bridge that switches by NORMAL is programmed, and OVN's integration bridge; anything else is named and left alone.
 */
import type { BridgeResult } from "@ovs-traffic-control/api";
import type { Flow } from "ovs-ofctl-wrapper";
import { PRIVATE_TABLES, isOurs, portKeys } from "../pipeline";
import type { Pipeline, PortKeys } from "../pipeline";
import type { BridgeView, OvsView } from "./view";

export interface BridgeKind {
  kind: BridgeResult["kind"];
  /** Why it is not programmed; absent for Switched and OVN. */
  message?: string;
  /** On OVN: by what it knows its ports. */
  keys?: PortKeys;
  /** Some flow floods: our ports need no-flood besides their VLAN isolation. */
  floods: boolean;
}

/** The pipeline that a bridge's flows are compiled for; null: it is not programmed. */
export function pipelineOf(kind: BridgeKind | undefined): Pipeline | null {
  return kind?.kind === "Switched" || kind?.kind === "OVN" ? kind.kind : null;
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
  if (bridge.ports.some((port) => port.externalIds.has("antrea-type")))
    return {
      kind: "Antrea",
      floods,
      message: `Bridge ${bridge.name} is Antrea's, which this version does not program.`,
    };
  const reason = whyUnknown(flows.filter((flow) => !isOurs(flow.cookie)));
  return reason === null
    ? { kind: "Switched", floods }
    : { kind: "Unknown", floods, message: `Bridge ${bridge.name} is not programmed: ${reason}` };
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
    if (REWRITES.test(flow.actions)) return `flow "${text}" routes; only switched bridges are supported.`;
  }
  if (!foreign.some((flow) => /\bNORMAL\b/.test(flow.actions)))
    return "none of its flows has the action NORMAL, so it does not switch by MAC addresses.";
  return null;
}
