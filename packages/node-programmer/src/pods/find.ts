/**
 * Which ports the plan's Pods hang on. Pure, given how to ask for the age of a network namespace. Called in each
 * reconciliation.
 */
import { isIPv6 } from "node:net";
import { REASONS } from "@ovs-traffic-control/api";
import type { PlanPod } from "@ovs-traffic-control/api";
import type { OvsView } from "../ovs";
import { attachmentOf, nameOf } from "./dialect";
import type { Attachment } from "./dialect";

/** Why a Pod, or one of its ports, is not programmed. */
export interface Problem {
  reason: string;
  message: string;
}

/** One working port of a selected Pod. */
export interface AttachedPort extends Attachment {
  ofport: number;
}

export interface FoundPod {
  pod: PlanPod;
  ports: readonly AttachedPort[];
  /** Ports that do not work yet. */
  coming: readonly Attachment[];
  /** null if the Pod has a working port. */
  problem: Problem | null;
}

/** When a network namespace was made, in milliseconds since the epoch; null if it is gone. */
export type NetnsAge = (path: string) => number | null;

export function findPods(pods: readonly PlanPod[], view: OvsView, netnsAge: NetnsAge): FoundPod[] {
  const { byPod, working } = attachmentsIn(view);
  return pods.map((pod) => {
    const all = keysOf(pod).flatMap((key) => byPod.get(key) ?? []);
    return findPod(
      pod,
      all.filter((attachment) => !isFormer(pod, attachment, netnsAge)),
      working,
      netnsAge,
    );
  });
}

interface Attachments {
  /** By what the CNI calls the Pod. */
  byPod: ReadonlyMap<string, readonly Attachment[]>;
  /** The ports of each that have a number. */
  working: ReadonlyMap<Attachment, readonly AttachedPort[]>;
}

/** A view never changes, and is asked again with each plan. */
const known = new WeakMap<OvsView, Attachments>();

function attachmentsIn(view: OvsView): Attachments {
  const before = known.get(view);
  if (before) return before;
  const byPod = new Map<string, Attachment[]>();
  const working = new Map<Attachment, AttachedPort[]>();
  for (const port of view.ports.values()) {
    const attachment = attachmentOf(port);
    if (!attachment) continue;
    const key = nameOf(attachment.pod);
    const others = byPod.get(key);
    if (others) others.push(attachment);
    else byPod.set(key, [attachment]);
    working.set(
      attachment,
      port.interfaces.flatMap(({ ofport }) => (ofport === undefined ? [] : [{ ...attachment, ofport }])),
    );
  }
  const found = { byPod, working };
  known.set(view, found);
  return found;
}

/** What a CNI may call the Pod: a static Pod has another UID on the node than in the API, a virtual machine's Pod another name. */
function keysOf({ uid, staticUID, namespace, name }: PlanPod): string[] {
  const machine = machineOf(name);
  return [
    uid,
    ...(staticUID === undefined ? [] : [staticUID]),
    `${namespace}/${name}`,
    ...(machine === undefined ? [] : [`${namespace}/${machine}`]),
  ];
}

/** Name of the virtual machine of KubeVirt that runs in the Pod. */
function machineOf(pod: string): string | undefined {
  return /^virt-launcher-(.+)-[a-z0-9]{5}$/.exec(pod)?.[1];
}

export function isVirtualMachine({ name }: PlanPod): boolean {
  return machineOf(name) !== undefined;
}

/**
 * Whether a port that carries only the Pod's name is that of a former Pod of this name: its network namespace is gone, or
 * older than the Pod. Clocks may differ, so a namespace that seems older is believed if the port has the very addresses that
 * the API knows, which it does only once the Pod's own sandbox is there; its port is the youngest then. A virtual machine's
 * name may be some Pod's as well: there only addresses count.
 */
function isFormer(pod: PlanPod, { pod: identity, netns }: Attachment, netnsAge: NetnsAge): boolean {
  if ("uid" in identity) return false;
  const made = netns === null ? null : netnsAge(netns);
  if (netns !== null && made === null) return true;
  const isNamed = identity.name === pod.name;
  if (isNamed && made !== null && pod.created !== undefined && made >= pod.created * 1000) return false;
  const known = new Set((pod.addresses ?? []).map(canonical));
  return !identity.addresses.some((address) => known.has(canonical(address)));
}

/** One spelling of each IPv6 address. */
function canonical(address: string): string {
  return isIPv6(address) ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
}

function findPod(
  pod: PlanPod,
  all: readonly Attachment[],
  working: Attachments["working"],
  netnsAge: NetnsAge,
): FoundPod {
  const chosen = pod.interfaces ? all.filter(({ iface }) => pod.interfaces?.includes(iface)) : all;
  const current = currentSandbox(chosen, netnsAge);
  const ports = current.flatMap((attachment) => working.get(attachment) ?? []);
  const coming = current.filter(({ port }) => port.interfaces.every(({ ofport }) => ofport === undefined));
  if (ports.length > 0) return { pod, ports, coming, problem: null };
  return { pod, ports, coming, problem: { reason: REASONS.noOVSPort, message: whyNone(pod, all, current) } };
}

function whyNone(pod: PlanPod, all: readonly Attachment[], current: readonly Attachment[]): string {
  const name = `${pod.namespace}/${pod.name}`;
  const [broken] = current;
  if (broken) {
    const error = broken.port.interfaces.find((row) => row.error !== undefined)?.error;
    return `Port ${broken.port.name} of Pod ${name} has no OpenFlow port number yet${error === undefined ? "" : `: Open vSwitch says "${error}"`}.`;
  }
  if (all.length > 0)
    return `Pod ${name} has no Open vSwitch port for ${pod.interfaces?.join(", ") ?? ""}; it has ${all.map(({ iface }) => iface).join(", ")}.`;
  return `Pod ${name} has no Open vSwitch port on this node (no row of Open vSwitch is marked with its UID ${pod.uid} or, by a CNI that marks names, as its own).`;
}

/**
 * A restarted sandbox keeps the Pod's UID, and for some seconds the rows of both sandboxes carry it: for each interface
 * the one whose network namespace exists counts, and of several the youngest.
 */
function currentSandbox(attachments: readonly Attachment[], netnsAge: NetnsAge): readonly Attachment[] {
  if (attachments.length < 2) return attachments;
  const byInterface = new Map<string, Attachment[]>();
  for (const attachment of attachments) {
    const same = byInterface.get(attachment.iface) ?? [];
    byInterface.set(attachment.iface, [...same, attachment]);
  }
  return [...byInterface.values()].map((same) => {
    if (same.length === 1) return same[0]!;
    const rank = ({ netns }: Attachment): number => (netns === null ? -1 : (netnsAge(netns) ?? -1));
    return same.reduce((best, next) => (rank(next) > rank(best) ? next : best));
  });
}
