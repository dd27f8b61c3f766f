/** The part of a NodeTrafficPlan that the controller keeps: a thousand whole plans would be half a gigabyte. */
import type { NodeTrafficPlan, PlanStatus } from "../api";
import { canonicalJson } from "./canonical";

export interface PlanFacts {
  node: string;
  uid: string;
  resourceVersion: string;
  nodeUID: string;
  hash: string;
  rules: { uid: string; name: string; generation: number }[];
  retiring: string[];
  status: PlanFactsStatus;
}

/** The programmer's answer without what only people read. */
export type PlanFactsStatus = Pick<PlanStatus, "observedHash" | "realizedPods" | "rules" | "conditions"> & {
  bridges: { name: string; kind: string; message?: string }[];
};

export function planFacts({ metadata, spec, status = {} }: NodeTrafficPlan): PlanFacts {
  return {
    node: metadata.name ?? "",
    uid: metadata.uid ?? "",
    resourceVersion: metadata.resourceVersion ?? "",
    nodeUID: spec.nodeUID,
    hash: spec.hash,
    rules: spec.rules.map(({ uid, name, generation }) => ({ uid, name, generation })),
    retiring: spec.retiring ?? [],
    status: {
      observedHash: status.observedHash,
      realizedPods: status.realizedPods,
      rules: status.rules ?? [],
      conditions: status.conditions ?? [],
      bridges: (status.bridges ?? []).map(({ name, kind, message }) => ({ name, kind, message })),
    },
  };
}

/** Everything but counters and versions: what may change the outcome of a reconcile. */
export function significantPlanFacts(plan: PlanFacts): unknown {
  return { ...plan, resourceVersion: undefined, status: significantStatus(plan) };
}

function significantStatus({ status }: PlanFacts): unknown {
  const rules = status.rules?.map((rule) => ({ ...rule, packets: undefined, bytes: undefined }));
  const conditions = status.conditions?.map(({ type, status: value, reason, message }) => [
    type,
    value,
    reason,
    message,
  ]);
  return { ...status, rules, conditions };
}

/** Whether the programmer's answer is the same before and after, and as true: counters apart, a new plan does not change it. */
export function isSameAnswer(before: PlanFacts | undefined, after: PlanFacts | undefined): boolean {
  if (before === undefined || after === undefined) return before === after;
  // The plan has become again what the programmer has answered already.
  if (isConfirmed(after) && !isConfirmed(before)) return false;
  return (
    before.uid === after.uid && canonicalJson(significantStatus(before)) === canonicalJson(significantStatus(after))
  );
}

/** Whether the node's programmer has acted on the plan as it is now. */
export function isConfirmed(plan: PlanFacts): boolean {
  return plan.status.observedHash === plan.hash;
}

/**
 * UIDs of TrafficControls that may still be in force on the node: those in the plan, and those that have left it while the programmer has
 * not yet confirmed that.
 */
export function uidsInForce(plan: PlanFacts): Set<string> {
  const uids = new Set(plan.rules.map(({ uid }) => uid));
  if (!isConfirmed(plan)) for (const uid of plan.retiring) uids.add(uid);
  return uids;
}

/** `retiring` of the plan that follows: what may be in force now and is not wanted any more. */
export function retiringAfter(
  before: PlanFacts | undefined,
  next: { nodeUID: string; rules: { uid: string }[] },
): string[] {
  // A node that was made anew under the same name starts without taps.
  if (before === undefined || before.nodeUID !== next.nodeUID) return [];
  const wanted = new Set(next.rules.map(({ uid }) => uid));
  return [...uidsInForce(before)].filter((uid) => !wanted.has(uid)).sort();
}
