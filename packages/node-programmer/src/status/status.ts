/** What a pass found and did → NodeTrafficPlan status. Pure, but for the time that it is given. */
import { CONDITIONS, PLAN_CONDITIONS, REASONS } from "@ovs-traffic-control/api";
import type { BridgeResult, PlanStatus, PortResult, RuleResult } from "@ovs-traffic-control/api";
import type { PortOutcome } from "../ports";
import type { Outcome, RuleOutcome } from "../reconcile";
import type { Count } from "./counters";

type Condition = NonNullable<PlanStatus["conditions"]>[number];

const MOST_PENDING = 10;
const LONGEST_MESSAGE = 1024;

export interface StatusInput {
  outcome: Outcome;
  /** Published last; its transition time stays while the condition does. */
  previous: PlanStatus | undefined;
  now: Date;
  /** How often something of ours had been changed by somebody else and was put right. */
  repairs: number;
  /** Published counters of a rule. */
  countOf: (uid: string) => Count | undefined;
}

/**
 * A pass that Open vSwitch refused in part keeps the former hash: what the plan wants is not in force. So does one after which
 * ports and return flows of a removed redirect are still there: its removal is not to be confirmed yet.
 */
export function statusOf({ outcome, previous, now, repairs, countOf }: StatusInput): PlanStatus {
  const done = outcome.failures.length === 0;
  const observedHash = done && !outcome.isRetiring ? outcome.plan.hash : previous?.observedHash;
  return {
    ...(observedHash === undefined ? {} : { observedHash }),
    realizedPods: done ? outcome.realizedPods : 0,
    ...(repairs === 0 ? {} : { repairs }),
    bridges: outcome.bridges.map(bridgeResult),
    ports: outcome.ports.map(portResult).sort(byName),
    rules: outcome.rules.map((rule) => ruleResult(rule, countOf(rule.rule.uid))),
    conditions: [ready(outcome, previous, now), ...untested(outcome, previous, now)],
  };
}

/** The status while Open vSwitch cannot be reached: what was said before, and that it may be so no longer. */
export function unreachable(previous: PlanStatus | undefined, message: string, now: Date): PlanStatus {
  return { ...previous, conditions: [condition(previous, now, "False", REASONS.ovsUnreachable, message)] };
}

/** Whether two statuses say the same, counters included. */
export function sameStatus(a: PlanStatus | undefined, b: PlanStatus): boolean {
  return a !== undefined && JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).filter(([, child]) => child !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, child]) => [key, sorted(child)]));
}

function untested({ cautions }: Outcome, previous: PlanStatus | undefined, now: Date): Condition[] {
  if (cautions.length === 0) return [];
  return [condition(previous, now, "True", REASONS.environment, cautions.join(" "), PLAN_CONDITIONS.untested)];
}

function ready(outcome: Outcome, previous: PlanStatus | undefined, now: Date): Condition {
  const say = (status: "True" | "False", reason: string, message: string): Condition =>
    condition(previous, now, status, reason, message);
  const [failure] = outcome.failures;
  if (failure !== undefined) return say("False", REASONS.ovsUnreachable, failure);
  const blocked = outcome.rules.find(({ problem }) => problem !== null);
  if (blocked?.problem)
    return say("False", blocked.problem.reason, `TrafficControl ${blocked.rule.name}: ${blocked.problem.message}`);
  const pods = outcome.plan.pods.length;
  const waiting = outcome.rules.flatMap(({ pending }) => pending)[0];
  if (waiting)
    return say(
      "False",
      REASONS.podsPending,
      `${pods - outcome.realizedPods} of ${pods} Pods are pending. ${waiting.problem.message}`,
    );
  if (outcome.plan.rules.length === 0)
    return say(
      "True",
      REASONS.realized,
      "Nothing is tapped on this node, and nothing of ours is left in Open vSwitch.",
    );
  return say(
    "True",
    REASONS.realized,
    `${pods === 1 ? "The Pod is" : `All ${pods} Pods are`} tapped as the plan says.`,
  );
}

function condition(
  previous: PlanStatus | undefined,
  now: Date,
  status: "True" | "False",
  reason: string,
  message: string,
  type: string = CONDITIONS.ready,
): Condition {
  const before = previous?.conditions?.find((each) => each.type === type);
  const lastTransitionTime =
    before?.status === status ? before.lastTransitionTime : now.toISOString().replace(/\.\d+Z$/, "Z");
  return { type, status, lastTransitionTime, reason, message: short(message) };
}

function bridgeResult({ name, kind, datapath, flows, message }: Outcome["bridges"][number]): BridgeResult {
  return { name, kind, datapath, flows, ...(message === undefined ? {} : { message: short(message) }) };
}

function portResult({ spec, bridge, ofport, problem, remark, caution }: PortOutcome): PortResult {
  const message = problem?.message ?? remark ?? caution;
  return {
    name: spec.name,
    bridge,
    kind: spec.kind === "ovsInternal" ? "internal" : spec.kind,
    ...(ofport === undefined ? {} : { ofport }),
    ...(problem ? { reason: problem.reason } : {}),
    ...(message === undefined ? {} : { message: short(message) }),
  };
}

function ruleResult(
  { rule, problem, realized, pending, approximate }: RuleOutcome,
  count: Count | undefined,
): RuleResult {
  return {
    name: rule.name,
    uid: rule.uid,
    generation: rule.generation,
    realizedPods: realized,
    pendingPods: pending.slice(0, MOST_PENDING).map(({ pod, problem: why }) => ({
      namespace: pod.namespace,
      name: pod.name,
      reason: why.reason,
      message: short(why.message),
    })),
    ...(pending.length > 0 ? { pendingCount: pending.length } : {}),
    ...(problem ? { reason: problem.reason, message: short(problem.message) } : {}),
    ...(approximate === undefined ? {} : { approximate: short(approximate) }),
    ...(count ?? {}),
  };
}

function short(message: string): string {
  return message.length <= LONGEST_MESSAGE ? message : `${message.slice(0, LONGEST_MESSAGE - 1)}…`;
}

function byName(a: PortResult, b: PortResult): number {
  return a.name < b.name ? -1 : 1;
}
