/** The part of Pods, Namespaces and TrafficControls that selection looks at. The informers keep only this. */
import { ANNOTATIONS, LABELS, type Action, type TrafficControl, type TrafficControlSpec } from "../api";
import { canonicalAddress } from "./address";
import type { Labels } from "./selector";

/** What the CRD of NodeTrafficPlan allows per Pod. */
const MAXIMUM_PER_POD = 16;
/** Written by the kubelet on the Pod that stands for a static one in the API: the UID that it has given that one. */
const MIRROR = "kubernetes.io/config.mirror";
/** An MD5 sum, unlike the UID of any Pod that came through the API: nobody can claim to be one of those. */
const STATIC_UID = /^[0-9a-f]{32}$/;
const NETWORK_STATUS = "k8s.v1.cni.cncf.io/network-status";

export interface PodFacts {
  namespace: string;
  name: string;
  uid: string;
  /** Seconds since the epoch. */
  created?: number;
  /** Of a static Pod: the UID that its node has given it. */
  staticUID?: string;
  labels: Labels;
  /** Empty until the Pod is bound. */
  node: string;
  hostNetwork: boolean;
  /** Phase Succeeded or Failed. */
  finished: boolean;
  /** Canonical, in the order of the API. */
  addresses: string[];
  /** From the Pod's annotation; undefined without it. */
  interfaces?: string[];
  /** Lower case; empty where the API does not know them. */
  macs: string[];
}

export interface NamespaceFacts {
  name: string;
  labels: Labels;
  allowsRedirect: boolean;
  /** Its Pods are never selected. */
  optsOut: boolean;
}

/** What decides which Pods a TrafficControl selects. */
export interface SelectorFacts {
  name: string;
  appliedTo: TrafficControlSpec["appliedTo"];
  action: Action;
  /** Canonical addresses of its far ends; Pods that own one are not selected. */
  collectors: string[];
}

/** The fields of a Pod that are read; the rest is never kept. */
export interface RawPod {
  metadata: {
    namespace: string;
    name: string;
    uid: string;
    resourceVersion: string;
    creationTimestamp?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  spec: { nodeName?: string; hostNetwork?: boolean };
  status?: { phase?: string; podIPs?: { ip: string }[]; podIP?: string };
}

export interface RawNamespace {
  metadata: {
    name: string;
    uid: string;
    resourceVersion: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
}

export function podFacts({ metadata, spec, status }: RawPod): PodFacts {
  const addresses = (status?.podIPs ?? []).map(({ ip }) => ip);
  if (addresses.length === 0 && status?.podIP !== undefined) addresses.push(status.podIP);
  const created = Date.parse(metadata.creationTimestamp ?? "") / 1000;
  const staticUID = STATIC_UID.exec(metadata.annotations?.[MIRROR] ?? "")?.[0];
  return {
    namespace: shared(metadata.namespace),
    name: metadata.name,
    uid: metadata.uid,
    ...(Number.isNaN(created) ? {} : { created }),
    ...(staticUID === undefined ? {} : { staticUID }),
    labels: metadata.labels ?? {},
    node: shared(spec.nodeName ?? ""),
    hostNetwork: spec.hostNetwork ?? false,
    finished: status?.phase === "Succeeded" || status?.phase === "Failed",
    addresses: addresses.map((ip) => canonicalAddress(ip) ?? ip).slice(0, MAXIMUM_PER_POD),
    interfaces: interfacesOf(metadata.annotations?.[ANNOTATIONS.interfaces]),
    macs: macsOf(metadata.annotations?.[NETWORK_STATUS]),
  };
}

/** @param honoursOptOut false where the cluster's administrator does not let Namespaces opt out */
export function namespaceFacts({ metadata }: RawNamespace, honoursOptOut = true): NamespaceFacts {
  return {
    name: metadata.name,
    labels: metadata.labels ?? {},
    allowsRedirect: metadata.annotations?.[ANNOTATIONS.allowRedirect] === "true",
    optsOut: honoursOptOut && metadata.annotations?.[ANNOTATIONS.optOut] === "true",
  };
}

export function selectorFacts({ metadata, spec }: TrafficControl): SelectorFacts {
  const ports = [spec.targetPort, spec.returnPort ?? {}];
  const remotes = ports.flatMap((port) =>
    Object.values(port).flatMap((kind) => ("remoteIP" in kind ? [kind.remoteIP] : [])),
  );
  return {
    name: metadata.name ?? "",
    appliedTo: spec.appliedTo,
    action: spec.action,
    collectors: remotes.map((ip) => canonicalAddress(ip) ?? ip),
  };
}

/** Names of one to fifteen bytes; a wrong one cannot be an interface and is left out. */
function interfacesOf(annotation: string | undefined): string[] | undefined {
  if (annotation === undefined || annotation.trim() === "") return undefined;
  const names = annotation.split(",").map((name) => name.trim());
  const valid = names.filter((name) => /^[^\s/]{1,15}$/.test(name));
  return [...new Set(valid)].sort().slice(0, MAXIMUM_PER_POD);
}

/** MAC addresses from the status that Multus and other plugins write: `[{"mac": "…"}]`. Anyone may have written it: read with care. */
function macsOf(annotation: string | undefined): string[] {
  if (annotation === undefined) return [];
  let networks: unknown;
  try {
    networks = JSON.parse(annotation);
  } catch {
    return [];
  }
  if (!Array.isArray(networks)) return [];
  const macs = networks.flatMap((network: unknown) => {
    const mac = typeof network === "object" && network !== null && "mac" in network ? network.mac : undefined;
    return typeof mac === "string" && /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(mac) ? [mac.toLowerCase()] : [];
  });
  return [...new Set(macs)].sort().slice(0, MAXIMUM_PER_POD);
}

export function isOperatorPod(pod: PodFacts, operatorNamespaces: ReadonlySet<string>): boolean {
  return pod.labels[LABELS.operator] === "true" && operatorNamespaces.has(pod.namespace);
}

/** Names of nodes and Namespaces that have been seen: as many as there have been. */
const names = new Map<string, string>();

/** Thousands of Pods name the same node: one string for all of them takes less memory, and is found in a Map without being compared. */
function shared(name: string): string {
  const known = names.get(name);
  if (known !== undefined) return known;
  names.set(name, name);
  return name;
}
