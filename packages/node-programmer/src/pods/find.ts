/**
 * Which ports the plan's Pods hang on. Pure, given how to ask for the age of a network namespace. Called in each
 * reconciliation.
 */
import { REASONS } from "@ovs-traffic-control/api";
import type { PlanPod } from "@ovs-traffic-control/api";
import type { OvsView } from "../ovs";
import { attachmentOf } from "./dialect";
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

/** When a network namespace was made, in any unit; null if it is gone. */
export type NetnsAge = (path: string) => number | null;

export function findPods(pods: readonly PlanPod[], view: OvsView, netnsAge: NetnsAge): FoundPod[] {
  const byUid = new Map<string, Attachment[]>();
  for (const port of view.ports.values()) {
    const attachment = attachmentOf(port);
    if (!attachment) continue;
    const others = byUid.get(attachment.podUid);
    if (others) others.push(attachment);
    else byUid.set(attachment.podUid, [attachment]);
  }
  return pods.map((pod) => findPod(pod, byUid.get(pod.uid) ?? [], netnsAge));
}

function findPod(pod: PlanPod, all: readonly Attachment[], netnsAge: NetnsAge): FoundPod {
  const name = `${pod.namespace}/${pod.name}`;
  const chosen = pod.interfaces ? all.filter(({ iface }) => pod.interfaces?.includes(iface)) : all;
  const current = currentSandbox(chosen, netnsAge);
  const ports = current.flatMap((attachment) =>
    attachment.port.interfaces.flatMap(({ ofport }) => (ofport === undefined ? [] : [{ ...attachment, ofport }])),
  );
  const coming = current.filter(({ port }) => port.interfaces.every(({ ofport }) => ofport === undefined));
  if (ports.length > 0) return { pod, ports, coming, problem: null };
  return { pod, ports, coming, problem: { reason: REASONS.noOVSPort, message: whyNone(name, pod, all, current) } };
}

function whyNone(name: string, pod: PlanPod, all: readonly Attachment[], current: readonly Attachment[]): string {
  const [broken] = current;
  if (broken) {
    const error = broken.port.interfaces.find((row) => row.error !== undefined)?.error;
    return `Port ${broken.port.name} of Pod ${name} has no OpenFlow port number yet${error === undefined ? "" : `: Open vSwitch says "${error}"`}.`;
  }
  if (all.length > 0)
    return `Pod ${name} has no Open vSwitch port for ${pod.interfaces?.join(", ") ?? ""}; it has ${all.map(({ iface }) => iface).join(", ")}.`;
  return `Pod ${name} has no Open vSwitch port on this node (no Port row with its UID ${pod.uid}).`;
}

/**
 * A restarted sandbox keeps the Pod's UID, and for some seconds the rows of both sandboxes carry it: for each interface
 * the one whose network namespace exists counts, and of several the youngest.
 */
function currentSandbox(attachments: readonly Attachment[], netnsAge: NetnsAge): Attachment[] {
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
