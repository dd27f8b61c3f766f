/**
 * May this port be made, or used, and what is to be done for it? Pure: from the spec, the view of Open vSwitch and what
 * is known of the host. Called by Ports before it acts.
 */
import { EXTERNAL_IDS, REASONS } from "@ovs-traffic-control/api";
import type { BridgeView, InterfaceView, OvsView, PortView } from "../ovs";
import { attachmentOf, nameOf } from "../pods";
import type { Problem } from "../pods";
import type { HostLink, KernelTunnel } from "./host";
import type { PortSpec } from "./spec";

export type Verdict =
  /** Nobody has it: make it on the bridge that wants it. */
  | { do: "create" }
  /** It is ours and there; `repair` says which of its columns somebody has changed. */
  | { do: "keep"; port: PortView; repair: boolean }
  /** It is ours, but the device behind it is gone: Open vSwitch would not take a new one of the same name in its place. */
  | { do: "delete"; port: PortView; problem: Problem }
  /** The administrator's, who lets us use it. */
  | { do: "adopt"; port: PortView; prepared: boolean }
  | { do: "refuse"; problem: Problem };

/** Columns of the Port row that keep floods and STP away from our ports. */
export const ISOLATION = { vlanMode: "trunk", trunk: 4095, otherConfig: ["stp-enable", "false"] } as const;

/** external_ids key on an adopted Port: what its columns were before, as JSON. */
export const SAVED_KEY = EXTERNAL_IDS.adopt.replace(/\/.*$/, "/saved");

export function judge(spec: PortSpec, view: OvsView): Verdict {
  const port = view.ports.get(spec.name);
  if (!port) return { do: "create" };
  const row = port.interfaces.find(({ name }) => name === spec.name);
  if (port.ours) {
    if (spec.kind === "device" && row && row.ifindex === 0 && row.ofport !== undefined)
      return { do: "delete", port, problem: missing(spec.name) };
    return { do: "keep", port, repair: !row || row.type !== spec.type || !hasOptions(row, spec) || !isIsolated(port) };
  }
  const pod = attachmentOf(port);
  if (pod) return refuse(`${spec.name} is the port of Pod ${nameOf(pod.pod)}.`, "Name another device.");
  if (port.adoptable && spec.kind === "device") return { do: "adopt", port, prepared: isIsolated(port) };
  if (spec.kind === "device" || spec.kind === "ovsInternal")
    return refuse(
      `Port ${spec.name} on bridge ${port.bridge} was attached by somebody else.`,
      spec.kind === "device"
        ? `To let it be used: ovs-vsctl set Port ${spec.name} external_ids:${EXTERNAL_IDS.adopt}=true`
        : "Choose another name for the ovsInternal port.",
    );
  return refuse(`There is a port ${spec.name} on bridge ${port.bridge} that is not ours.`, "Remove or rename it.");
}

/** May the host's device be attached? */
export function judgeDevice(name: string, link: HostLink | null): Problem | null {
  if (!link) return missing(name);
  const why = link.loopback
    ? "is the loopback device"
    : link.addresses.length > 0
      ? `carries the node's address ${link.addresses.join(", ")}`
      : link.master !== null
        ? `belongs to ${link.master}`
        : null;
  if (why === null) return null;
  return {
    reason: REASONS.deviceNotOurs,
    message: `Device ${name} ${why}; attaching it to Open vSwitch would cut that. Name another device.`,
  };
}

/** Would the tunnel take packets that belong to the cluster's own overlay? */
export function judgeTunnel(
  spec: PortSpec,
  view: OvsView,
  bridge: BridgeView,
  kernelTunnels: readonly KernelTunnel[],
): Problem | null {
  const end = spec.tunnel;
  if (!end) return null;
  for (const port of view.ports.values()) {
    const row = port.ours ? undefined : port.interfaces.find((candidate) => overlaps(candidate, spec));
    if (!row) continue;
    const whose = row.options.get("remote_ip") === "flow" ? "any address" : end.remoteIP;
    return overlay(
      `Port ${row.name} on bridge ${port.bridge} is a ${row.type} tunnel to ${whose}${udp(end.udpPort)}; a second one would take its packets.`,
      spec,
    );
  }
  const device = kernelTunnels.find(({ kind, udpPort }) => kind === spec.kind && udpPort === end.udpPort);
  if (device && bridge.datapath === "netdev")
    return overlay(
      `The node's device ${device.name} is a ${device.kind} tunnel${udp(device.udpPort)}; on the userspace datapath Open vSwitch would take its packets.`,
      spec,
    );
  return null;
}

export function missing(name: string): Problem {
  return {
    reason: REASONS.targetPortMissing,
    message: `There is no device ${name} on this node. Create it, or use ovsInternal; it is attached as soon as it appears.`,
  };
}

function refuse(what: string, advice: string): Verdict {
  return { do: "refuse", problem: { reason: REASONS.deviceNotOurs, message: `${what} ${advice}` } };
}

function overlay(what: string, spec: PortSpec): Problem {
  const advice = spec.tunnel?.udpPort === null ? "Use another kind of tunnel." : "Use another destinationPort.";
  return { reason: REASONS.overlayPortInUse, message: `${what} ${advice}` };
}

function udp(port: number | null): string {
  return port === null ? "" : ` on UDP port ${port}`;
}

const DEFAULT_UDP_PORT: Readonly<Record<string, string>> = { geneve: "6081", vxlan: "4789" };

function overlaps(row: InterfaceView, spec: PortSpec): boolean {
  if (row.type !== spec.type) return false;
  const port = row.options.get("dst_port") ?? DEFAULT_UDP_PORT[row.type];
  if (spec.tunnel?.udpPort != null && port !== String(spec.tunnel.udpPort)) return false;
  const remote = row.options.get("remote_ip");
  return remote === "flow" || remote === spec.tunnel?.remoteIP;
}

function hasOptions(row: InterfaceView, spec: PortSpec): boolean {
  const wanted = Object.entries(spec.options);
  return row.options.size === wanted.length && wanted.every(([key, value]) => row.options.get(key) === value);
}

export function isIsolated(port: PortView): boolean {
  const [key, value] = ISOLATION.otherConfig;
  return (
    port.vlanMode === ISOLATION.vlanMode &&
    port.trunks.length === 1 &&
    port.trunks[0] === ISOLATION.trunk &&
    port.otherConfig.get(key) === value
  );
}
