/**
 * Nodes, Pods and TrafficControls of a large cluster, the same in every run, and by the simplest words which TrafficControls each Pod has:
 * what the plans are compared with. Pure; used by scenario.ts.
 */
import { FINALIZER, TRAFFIC_CONTROL, type TrafficControl, type TrafficControlSpec } from "@ovs-traffic-control/api";

export interface Size {
  nodes: number;
  pods: number;
  trafficControls: number;
}

const NAMESPACES = 20;
const TEAMS = 5;
/** So many Pods are alike, on as many nodes. */
const PODS_PER_APP = 50;

export interface Pod {
  apiVersion: "v1";
  kind: "Pod";
  metadata: { namespace: string; name: string; labels: Record<string, string> };
  spec: { nodeName: string; containers: object[]; terminationGracePeriodSeconds: 0 };
}

export const namespaces = Array.from({ length: NAMESPACES }, (_, i) => {
  return { apiVersion: "v1", kind: "Namespace", metadata: { name: `ns-${i}`, labels: { team: teamOf(i) } } };
});

export function nodeName(index: number): string {
  return `node-${index}`;
}

export function pod({ nodes, pods }: Size, index: number): Pod {
  const apps = Math.max(1, Math.round(pods / PODS_PER_APP));
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      namespace: `ns-${index % NAMESPACES}`,
      name: `pod-${index}`,
      labels: { app: `app-${index % apps}`, tier: index % 3 === 0 ? "web" : "db" },
    },
    spec: {
      nodeName: nodeName((index * 7 + Math.floor(index / apps)) % nodes),
      containers: [{ name: "app", image: "registry.example.com/app:1" }],
      terminationGracePeriodSeconds: 0,
    },
  };
}

/** Nine of ten are for the Pods of one app, the others for a tier of a team. */
export function trafficControl({ pods }: Size, index: number): TrafficControl {
  const apps = Math.max(1, Math.round(pods / PODS_PER_APP));
  const appliedTo: TrafficControlSpec["appliedTo"] =
    index % 10 === 9
      ? {
          podSelector: { matchLabels: { tier: "web" } },
          namespaceSelector: { matchLabels: { team: teamOf(index % TEAMS) } },
        }
      : { podSelector: { matchLabels: { app: `app-${(index * 3) % apps}` } } };
  return tap(`tap-${index}`, appliedTo, { vxlan: { remoteIP: `192.0.2.${1 + (index % 50)}`, vni: index } });
}

export function tap(
  name: string,
  appliedTo: TrafficControlSpec["appliedTo"],
  targetPort: TrafficControlSpec["targetPort"],
): TrafficControl {
  return {
    apiVersion: `${TRAFFIC_CONTROL.group}/${TRAFFIC_CONTROL.version}`,
    kind: TRAFFIC_CONTROL.kind,
    metadata: { name, finalizers: [FINALIZER] },
    spec: { appliedTo, direction: "Both", action: "Mirror", targetPort },
  };
}

/** Names of the TrafficControls per Pod, per node: "ns-1/pod-1" → ["tap-3"]. Labels are matched by equality only. */
export function expected(pods: readonly Pod[], taps: readonly TrafficControl[]): Map<string, Map<string, string[]>> {
  const nodes = new Map<string, Map<string, string[]>>();
  for (const { metadata, spec } of pods) {
    const team = teamOf(Number(metadata.namespace.slice("ns-".length)));
    const names = taps
      .filter(({ spec: { appliedTo } }) => {
        const { podSelector, namespaceSelector } = appliedTo;
        return holds(podSelector, metadata.labels) && holds(namespaceSelector, { team });
      })
      .map((each) => each.metadata.name!);
    if (names.length === 0) continue;
    const onNode = nodes.get(spec.nodeName) ?? new Map<string, string[]>();
    nodes.set(spec.nodeName, onNode.set(`${metadata.namespace}/${metadata.name}`, names.sort()));
  }
  return nodes;
}

function holds(
  selector: { matchLabels?: Record<string, string> } | undefined,
  labels: Record<string, string>,
): boolean {
  return Object.entries(selector?.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
}

function teamOf(namespace: number): string {
  return `team-${namespace % TEAMS}`;
}
