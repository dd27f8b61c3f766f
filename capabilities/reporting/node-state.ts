/** How far one node is with one TrafficControl. Pure: from what the controller knows of the node to a state with a reason. */
import { CONDITIONS, REASONS, type RuleResult, type TrafficControl } from "../api";
import { answerOf, isConfirmed, type PlanFacts } from "../planning";

/** Everything that bears on one node. */
export interface NodeView {
  node: string;
  ready: boolean;
  /** Selected Pods of this TrafficControl there. */
  pods: number;
  plan?: PlanFacts;
  /** What the controller knows of the node's programmer, if it is in trouble. */
  trouble?: { reason: string; message: string; failures: number };
  /** Why there is no room for it in the node's plan. */
  excess?: string;
}

export type NodeState =
  | { state: "realized" }
  /** On its way; nothing is wrong. wasRealized: the node's last word about this generation was that all is well. */
  | { state: "programming"; wasRealized: boolean }
  /** The node acts, but not on every Pod yet. */
  | { state: "podsPending"; reason: string; message: string; pods: number; pod: string }
  | { state: "notReady"; reason: string; message: string }
  /** isFinal: trying again does not help before somebody changes something. */
  | { state: "failed"; reason: string; message: string; isFinal: boolean };

/** Failures that last until a person acts. */
const FINAL: ReadonlySet<string> = new Set([
  REASONS.deviceNotOurs,
  REASONS.overlayPortInUse,
  REASONS.pipelineUnknown,
  REASONS.targetPortMissing,
  REASONS.planTooLarge,
  REASONS.conflictsWith,
]);
/** A programmer that has failed so often in a row does not recover by itself. */
const HOPELESS_FAILURES = 5;

export function nodeStateOf({ metadata }: TrafficControl, view: NodeView): NodeState {
  if (view.excess !== undefined) return failed(REASONS.planTooLarge, view.excess, true);
  const { plan } = view;
  // What was in force before may no longer be: Open vSwitch keeps its flows only as long as it runs.
  const report = plan?.status.conditions?.find(({ type }) => type === CONDITIONS.ready);
  if (report?.status === "False" && report.reason === REASONS.ovsUnreachable && view.ready) {
    return failed(report.reason, sentence(report.message), false);
  }
  const { generation, result } = plan === undefined ? {} : answerOf(plan, metadata.uid ?? "");
  const answer = result?.generation === metadata.generation && result !== undefined ? stateOfResult(result) : undefined;
  // The programmer's answer counts even if its node has become silent since: taps outlive the kubelet.
  const isAnswered = plan !== undefined && generation === metadata.generation && isConfirmed(plan);
  if (isAnswered && answer !== undefined && speaksOf(result, view.pods, answer)) return answer;
  if (!view.ready) {
    return { state: "notReady", reason: REASONS.nodeNotReady, message: "The node is not ready." };
  }
  if (view.trouble !== undefined) {
    return failed(view.trouble.reason, sentence(view.trouble.message), view.trouble.failures >= HOPELESS_FAILURES);
  }
  return { state: "programming", wasRealized: answer?.state === "realized" };
}

/** Why what the node copies is not exactly what it should be, as far as it says so of this generation. */
export function approximationOf({ metadata }: TrafficControl, { plan }: NodeView): string | undefined {
  if (plan === undefined) return undefined;
  const { result } = answerOf(plan, metadata.uid ?? "");
  return result?.generation === metadata.generation ? result?.approximate : undefined;
}

/** Whether the answer covers the Pods that are selected now; the plan may just be about to change. */
function speaksOf(result: RuleResult | undefined, pods: number, answer: NodeState): boolean {
  if (answer.state === "failed" || result === undefined) return true;
  return result.realizedPods + (result.pendingCount ?? result.pendingPods.length) === pods;
}

function stateOfResult(result: RuleResult): NodeState {
  if (result.reason !== undefined && result.reason !== "") {
    return failed(result.reason, sentence(result.message ?? result.reason), FINAL.has(result.reason));
  }
  const [first] = result.pendingPods;
  const pods = result.pendingCount ?? result.pendingPods.length;
  if (pods === 0 || first === undefined) return { state: "realized" };
  const { reason, message } = first;
  return { state: "podsPending", reason, message: sentence(message), pods, pod: `${first.namespace}/${first.name}` };
}

function failed(reason: string, message: string, isFinal: boolean): NodeState {
  return { state: "failed", reason, message, isFinal };
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
