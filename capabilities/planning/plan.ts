/** From the Pods of one node and the TrafficControls that select them to the node's plan. Equal inputs give byte-equal plans. */
import type { PlanPod, PlanRule, PlanSpec, TrafficControl } from "../api";
import type { PodFacts } from "../selection";
import { hashOf } from "./canonical";
import type { Collector } from "./collectors";
import { planPort } from "./ports";
import { compareText, precedence } from "./precedence";

/** A Pod of the node and the TrafficControls that act on it, in any order. */
export interface PlannedPod {
  pod: PodFacts;
  trafficControls: readonly TrafficControl[];
}

/**
 * The plan without `retiring`, which is history rather than a function of the present. `collectors` are those of the whole
 * cluster; a node without rules does not need them.
 */
export function planNode(
  nodeUID: string,
  selected: readonly PlannedPod[],
  collectors: readonly Collector[] = [],
): PlanSpec {
  const acting = selected.filter(({ trafficControls }) => trafficControls.length > 0);
  const ordered = [...new Set(acting.flatMap(({ trafficControls }) => trafficControls))].sort(precedence);
  const position = new Map(ordered.map((trafficControl, index) => [trafficControl, index]));
  const classOf = new Map<string, number[]>();
  const pods = acting.map(({ pod, trafficControls }) => {
    const rules = trafficControls.map((trafficControl) => position.get(trafficControl)!).sort((a, b) => a - b);
    classOf.set(rules.join(), rules);
    return { pod, key: rules.join() };
  });
  const classes = [...classOf.entries()].sort(([, a], [, b]) => compareLists(a, b));
  const classNumber = new Map(classes.map(([key], index) => [key, index]));
  const plan = {
    nodeUID,
    pods: pods.map(({ pod, key }) => planPod(pod, classNumber.get(key)!)).sort(byNamespaceAndName),
    rules: ordered.map(planRule),
    classes: classes.map(([, rules]) => ({ rules })),
    ...(collectors.length > 0 && ordered.length > 0 ? { collectors: [...collectors] } : {}),
  };
  return { ...plan, hash: hashOf(plan) };
}

export function isEmpty(plan: { rules: readonly unknown[] }): boolean {
  return plan.rules.length === 0;
}

/** What the CRD allows, and etcd with it. The last good plan stays in force beyond. */
const MAXIMUM_ITEMS = 1000;
const MAXIMUM_BYTES = 1024 * 1024;

/** Why the plan cannot be written, as a sentence; undefined if it can. */
export function excess(plan: PlanSpec): string | undefined {
  if (plan.pods.length > MAXIMUM_ITEMS)
    return `${plan.pods.length} Pods are selected on the node; a plan holds ${MAXIMUM_ITEMS}.`;
  if (plan.rules.length > MAXIMUM_ITEMS)
    return `${plan.rules.length} TrafficControls act on the node; a plan holds ${MAXIMUM_ITEMS}.`;
  const tunnels = plan.collectors?.length ?? 0;
  if (tunnels > MAXIMUM_ITEMS)
    return `The TrafficControls of the cluster have ${tunnels} tunnels to different addresses; a plan holds ${MAXIMUM_ITEMS}.`;
  const bytes = Buffer.byteLength(JSON.stringify(plan));
  if (bytes > MAXIMUM_BYTES) return `The plan of the node has ${bytes} bytes; ${MAXIMUM_BYTES} are possible.`;
  return undefined;
}

function planPod(pod: PodFacts, classNumber: number): PlanPod {
  return {
    namespace: pod.namespace,
    name: pod.name,
    uid: pod.uid,
    ...(pod.staticUID === undefined ? {} : { staticUID: pod.staticUID }),
    ...(pod.created === undefined ? {} : { created: pod.created }),
    ...(pod.addresses.length > 0 ? { addresses: pod.addresses } : {}),
    ...(pod.interfaces === undefined ? {} : { interfaces: pod.interfaces }),
    ...(pod.macs.length > 0 ? { macs: pod.macs } : {}),
    class: classNumber,
  };
}

function planRule({ metadata, spec }: TrafficControl): PlanRule {
  return {
    name: metadata.name ?? "",
    uid: metadata.uid ?? "",
    generation: metadata.generation ?? 0,
    direction: spec.direction,
    action: spec.action,
    targetPort: planPort(spec.targetPort),
    ...(spec.returnPort === undefined ? {} : { returnPort: planPort(spec.returnPort) }),
  };
}

function byNamespaceAndName(a: PlanPod, b: PlanPod): number {
  return compareText(a.namespace, b.namespace) || compareText(a.name, b.name);
}

function compareLists(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = a[i]! - b[i]!;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
