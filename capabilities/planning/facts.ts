/** The part of a NodeTrafficPlan that the controller keeps: a thousand whole plans would be half a gigabyte. */
import { isDeepStrictEqual } from "node:util";
import type { NodeTrafficPlan, PlanStatus, RuleResult } from "../api";

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
export type PlanFactsStatus = Pick<PlanStatus, "observedHash" | "realizedPods" | "repairs" | "rules" | "conditions"> & {
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
      repairs: status.repairs,
      rules: status.rules ?? [],
      conditions: status.conditions ?? [],
      bridges: (status.bridges ?? []).map(({ name, kind, message }) => ({ name, kind, message })),
    },
  };
}

/** Whether the two differ in counters and versions at most: nothing that may change the outcome of a reconcile. */
export function isSamePlan(before: PlanFacts, after: PlanFacts): boolean {
  return (
    before.uid === after.uid &&
    before.nodeUID === after.nodeUID &&
    before.hash === after.hash &&
    isSameList(before.retiring, after.retiring, (a, b) => a === b) &&
    isSameList(before.rules, after.rules, isSameRule) &&
    before.status.observedHash === after.status.observedHash &&
    before.status.realizedPods === after.status.realizedPods &&
    isSameOfNode(before, after) &&
    isSameList(before.status.rules ?? [], after.status.rules ?? [], isSameResult)
  );
}

/** Whom another answer of a node's programmer concerns. */
export interface News {
  /** Every TrafficControl of the node. */
  all: boolean;
  /** Names of those whose own result is another one. */
  names: ReadonlySet<string>;
  /** Those that have waited for the node, because its answer is about the plan as it is now and was not before. */
  waiting: boolean;
}

const NOTHING: News = { all: false, names: new Set(), waiting: false };

/**
 * What the programmer says now and did not say before. Counters are no news, nor is a new plan: whom that concerns is looked at anyway. One
 * Pod more on a node is news for the TrafficControls that select it, not for the hundred others there.
 */
export function newsOf(before: PlanFacts | undefined, after: PlanFacts | undefined): News {
  if (before === undefined || after === undefined) return before === after ? NOTHING : { ...NOTHING, all: true };
  const hasLapsed = before.hash === after.hash && isConfirmed(before) && !isConfirmed(after);
  if (before.uid !== after.uid || !isSameOfNode(before, after) || hasLapsed) return { ...NOTHING, all: true };
  const names = new Set<string>();
  const known = new Map((before.status.rules ?? []).map((result) => [result.uid, result]));
  for (const result of after.status.rules ?? []) {
    const old = known.get(result.uid);
    known.delete(result.uid);
    if (old === undefined || !isSameResult(old, result)) names.add(result.name);
  }
  for (const { name } of known.values()) names.add(name);
  return { all: false, names, waiting: isConfirmed(after) && !isConfirmed(before) };
}

/** What the plan asks for and what its programmer says about it. */
export interface Answer {
  generation?: number;
  result?: RuleResult;
}

const NO_ANSWER: Answer = {};
const answersOfPlans = new WeakMap<PlanFacts, Map<string, Answer>>();

/** About one TrafficControl. Asked for every TrafficControl of every node, so it is looked up, not searched. */
export function answerOf(plan: PlanFacts, uid: string): Answer {
  let answers = answersOfPlans.get(plan);
  if (answers === undefined) {
    answers = new Map(plan.rules.map((rule): [string, Answer] => [rule.uid, { generation: rule.generation }]));
    for (const result of plan.status.rules ?? []) answers.set(result.uid, { ...answers.get(result.uid), result });
    answersOfPlans.set(plan, answers);
  }
  return answers.get(uid) ?? NO_ANSWER;
}

function isSameOfNode({ status: before }: PlanFacts, { status: after }: PlanFacts): boolean {
  return (
    isDeepStrictEqual(before.bridges, after.bridges) &&
    isSameList(
      before.conditions ?? [],
      after.conditions ?? [],
      // What is well says how much of it there is.
      (a, b) =>
        a.type === b.type &&
        a.status === b.status &&
        a.reason === b.reason &&
        (a.message === b.message || a.status === "True"),
    )
  );
}

function isSameRule(a: PlanFacts["rules"][number], b: PlanFacts["rules"][number]): boolean {
  return a.uid === b.uid && a.generation === b.generation && a.name === b.name;
}

function isSameResult(a: RuleResult, b: RuleResult): boolean {
  const isPlain = (result: RuleResult): boolean => result.pendingPods.length === 0;
  return (
    a.uid === b.uid &&
    a.generation === b.generation &&
    a.realizedPods === b.realizedPods &&
    a.pendingCount === b.pendingCount &&
    a.reason === b.reason &&
    a.message === b.message &&
    a.approximate === b.approximate &&
    ((isPlain(a) && isPlain(b)) || isDeepStrictEqual(a.pendingPods, b.pendingPods))
  );
}

function isSameList<T>(a: readonly T[], b: readonly T[], isSame: (a: T, b: T) => boolean): boolean {
  return a.length === b.length && a.every((item, index) => isSame(item, b[index]!));
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
  next: { nodeUID: string; rules: readonly { uid: string }[] },
): string[] {
  // A node that was made anew under the same name starts without taps.
  if (before === undefined || before.nodeUID !== next.nodeUID) return [];
  const wanted = new Set(next.rules.map(({ uid }) => uid));
  return [...uidsInForce(before)].filter((uid) => !wanted.has(uid)).sort();
}
