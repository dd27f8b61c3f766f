/**
 * The status of a TrafficControl from everything known about it (semantics: "Status"). Pure; the reporter calls it, writes the result if
 * it differs and comes back when it says so.
 */
import { CONDITIONS, REASONS, type Condition, type TrafficControl, type TrafficControlStatus } from "../api";
import { conditionsOf, shorten, type Verdict } from "./conditions";
import { approximationOf, nodeStateOf, type NodeState, type NodeView } from "./node-state";
import { count, list, type Noun } from "./words";
import { targetText } from "./target";

/** A Pod born after Ready=True may take so long before it turns Ready False. */
const GRACE_MS = 10_000;
/** A node that was realized is believed to be so again within this, so that a change that concerns others moves no numbers. */
const SETTLE_MS = 1_000;
/** A Pod that has no port on Open vSwitch for so long never gets one. */
const PORTLESS_MS = 60_000;
const MAXIMUM_FAILURES = 10;

/** Of the whole TrafficControl, until somebody changes something. The message is a sentence. */
export interface Refusal {
  reason: string;
  message: string;
}

export interface StatusInput {
  trafficControl: TrafficControl;
  /** Existing nodes with selected Pods, in any order. */
  nodes: readonly NodeView[];
  conflict?: { winner: string; message: string };
  /** Why it is not in force on any node. */
  refusal?: Refusal;
  /** Nobody watches the nodes since (oneShot mode): what is said holds for the last run. */
  asOfLastRun?: boolean;
  overruled?: { winner: string; pods: number };
  /** Pods that match but are left out, because their Namespaces have opted out. */
  optedOut?: number;
  /** For how many milliseconds a node has not been realized, by name. */
  unrealizedFor: ReadonlyMap<string, number>;
  /** The time of day, for timestamps. */
  now: number;
}

export interface StatusOutput {
  status: TrafficControlStatus;
  /** Nodes that are not realized now, for the next call's unrealizedFor. */
  unrealized: string[];
  /** When the same input would give another status just because time has passed. */
  recheckAfterMilliseconds?: number;
}

interface Judged {
  view: NodeView;
  state: NodeState;
  /** It counts as realized for a moment, without being so. */
  isSettling: boolean;
  /** For how long it has not been realized. */
  age: number;
}

const NODE: Noun = ["node", "nodes"];
const POD: Noun = ["Pod", "Pods"];

export function statusOf(input: StatusInput): StatusOutput {
  const { trafficControl, now } = input;
  const judged = input.nodes.map((view) => judge(view, input)).sort((a, b) => (a.view.node < b.view.node ? -1 : 1));
  const realized = judged.filter(({ state }) => state.state === "realized").length;
  const { verdicts, recheckAfterMilliseconds } = verdictsOf(input, judged);
  if (input.overruled !== undefined && input.conflict === undefined) verdicts.push(overruledVerdict(input.overruled));
  const approximate = approximateVerdict(trafficControl, judged);
  if (approximate !== undefined) verdicts.push(approximate);
  const generation = trafficControl.metadata.generation ?? 0;
  const failures = failuresOf(judged);
  return {
    status: {
      observedGeneration: generation,
      target: targetText(trafficControl.spec.targetPort),
      selectedPods: judged.reduce((sum, { view }) => sum + view.pods, 0),
      desiredNodes: judged.length,
      realizedNodes: realized,
      nodes: `${realized}/${judged.length}`,
      ...(failures.length > 0 ? { failures } : {}),
      conditions: conditionsOf(verdicts, trafficControl.status?.conditions ?? [], generation, now),
    },
    unrealized: judged
      .filter(({ state, isSettling }) => isSettling || state.state !== "realized")
      .map(({ view }) => view.node),
    recheckAfterMilliseconds: earliest([
      recheckAfterMilliseconds,
      ...judged.filter(({ isSettling }) => isSettling).map(({ age }) => SETTLE_MS - age),
    ]),
  };
}

function judge(view: NodeView, { trafficControl, unrealizedFor }: StatusInput): Judged {
  const state = nodeStateOf(trafficControl, view);
  const age = unrealizedFor.get(view.node) ?? 0;
  const wasRealized = state.state === "programming" && state.wasRealized && wasReady(trafficControl);
  const isSettling = wasRealized && age < SETTLE_MS;
  return { view, state: isSettling ? { state: "realized" } : state, isSettling, age };
}

/** Beside Ready: what the plan says is in force, only it says that another one's packets are not ours. */
function overruledVerdict({ winner, pods }: { winner: string; pods: number }): Verdict {
  const message = `TrafficControl ${winner}, which is older, redirects ${count(pods, POD)} of this one; a packet is redirected once.`;
  return { type: CONDITIONS.conflicted, status: "True", reason: REASONS.conflictsWith, message };
}

/** Beside Ready as well: in force, but not exact. */
function approximateVerdict(trafficControl: TrafficControl, judged: Judged[]): Verdict | undefined {
  const found = judged.flatMap(({ view }) => {
    const why = approximationOf(trafficControl, view);
    return why === undefined ? [] : [{ node: view.node, why }];
  });
  const [first] = found;
  if (first === undefined) return undefined;
  const others =
    found.length === 1 ? "" : ` ${count(found.length - 1, ["other node is", "other nodes are"])} concerned too.`;
  const message = `On ${first.node}: ${first.why}${others}`;
  return { type: CONDITIONS.approximate, status: "True", reason: REASONS.mirrorRows, message };
}

function earliest(moments: (number | undefined)[]): number | undefined {
  const known = moments.filter((moment) => moment !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

function verdictsOf(input: StatusInput, judged: Judged[]): { verdicts: Verdict[]; recheckAfterMilliseconds?: number } {
  const { trafficControl, conflict } = input;
  if (conflict !== undefined) {
    const conflicted: Verdict = {
      type: CONDITIONS.conflicted,
      status: "True",
      reason: REASONS.conflictsWith,
      message: conflict.message,
    };
    return { verdicts: [...stalled(REASONS.conflictsWith, conflict.message), conflicted] };
  }
  if (input.refusal !== undefined) return { verdicts: stalled(input.refusal.reason, input.refusal.message) };
  if (judged.length === 0) return { verdicts: [ready(REASONS.noPodsSelected, nothingSelected(input))] };
  const unrealized = judged.filter(({ state }) => state.state !== "realized" && state.state !== "notReady");
  const answering = judged.filter(({ state }) => state.state !== "notReady");
  if (answering.length === 0) return { verdicts: reconciling(REASONS.nodeNotReady, notReadySentence(judged)) };
  if (unrealized.length === 0) return { verdicts: [ready(REASONS.realized, realizedSentence(input, judged))] };
  const late = unrealized.filter(({ state, age }) => state.state === "failed" || age >= GRACE_MS);
  if (wasReady(trafficControl) && late.length === 0) {
    const oldest = Math.max(...unrealized.map(({ age }) => age));
    const [reason, message] = graceSentence(trafficControl, judged, unrealized);
    return { verdicts: [ready(reason, message)], recheckAfterMilliseconds: GRACE_MS - oldest };
  }
  return troubled(unrealized, judged.length);
}

/** Ready=False: the worst that is known, and whether it is worth waiting. */
function troubled(unrealized: Judged[], nodes: number): { verdicts: Verdict[]; recheckAfterMilliseconds?: number } {
  const { reason, message } = summary(unrealized, nodes);
  if (unrealized.every(isHopeless)) return { verdicts: stalled(reason, message) };
  const portless = unrealized.filter(({ state }) => isPortless(state)).map(({ age }) => PORTLESS_MS - age);
  const next = Math.min(...portless.filter((remaining) => remaining > 0));
  const verdicts = reconciling(reason, message);
  return Number.isFinite(next) ? { verdicts, recheckAfterMilliseconds: next } : { verdicts };
}

function isHopeless({ state, age }: Judged): boolean {
  const isFinal = (state.state === "failed" && state.isFinal) || isImpossible(state);
  return isFinal || (isPortless(state) && age >= PORTLESS_MS);
}

/** Pods wait for what never happens unless somebody changes a bridge or the TrafficControl. */
function isImpossible(state: NodeState): boolean {
  return state.state === "podsPending" && state.reason === REASONS.pipelineUnknown;
}

function isPortless(state: NodeState): boolean {
  return state.state === "podsPending" && state.reason === REASONS.noOVSPort;
}

/** One reason and one sentence for all nodes that are not realized: failures first, then Pods, then those still at work. */
function summary(unrealized: Judged[], nodes: number): { reason: string; message: string } {
  const failed = unrealized.flatMap(({ view, state }) =>
    state.state === "failed" ? [{ node: view.node, ...state }] : [],
  );
  const [firstFailed] = failed;
  if (firstFailed !== undefined) {
    const isUniform = failed.every(({ reason }) => reason === firstFailed.reason);
    const others =
      failed.length === 1 ? "" : ` ${count(failed.length - 1, ["other node is", "other nodes are"])} concerned too.`;
    return {
      reason: isUniform ? firstFailed.reason : REASONS.nodesNotRealized,
      message: `On ${firstFailed.node}: ${firstFailed.message}${others}`,
    };
  }
  const pending = unrealized.flatMap(({ view, state }) =>
    state.state === "podsPending" ? [{ node: view.node, ...state }] : [],
  );
  const [firstPending] = pending;
  if (firstPending !== undefined) {
    const pods = pending.reduce((sum, state) => sum + state.pods, 0);
    const where = `${firstPending.pod} on ${firstPending.node}`;
    const subject = pods === 1 ? `Pod ${where} is` : `${count(pods, POD)} are`;
    const example = pods === 1 ? firstPending.message : `for example ${where}: ${firstPending.message}`;
    return { reason: REASONS.podsPending, message: `${subject} not programmed${pods === 1 ? ":" : ","} ${example}` };
  }
  const names = unrealized.map(({ view }) => view.node);
  return {
    reason: REASONS.programming,
    message: `Programming ${list(names)} (${unrealized.length} of ${count(nodes, NODE)}).`,
  };
}

function failuresOf(judged: Judged[]): NonNullable<TrafficControlStatus["failures"]> {
  return judged
    .flatMap(({ view: { node }, state, age }) => {
      switch (state.state) {
        case "realized":
          return [];
        case "programming":
          // Only worth a line once it takes too long.
          return age < GRACE_MS
            ? []
            : [{ node, reason: REASONS.programming, message: "The node has not answered yet." }];
        case "podsPending":
          return [{ node, reason: state.reason, message: shorten(`${state.pod}: ${state.message}`) }];
        default:
          return [{ node, reason: state.reason, message: shorten(state.message) }];
      }
    })
    .slice(0, MAXIMUM_FAILURES);
}

function wasReady({ metadata, status }: TrafficControl): boolean {
  const before: Condition | undefined = status?.conditions?.find(({ type }) => type === CONDITIONS.ready);
  return before?.status === "True" && before.observedGeneration === metadata.generation;
}

function nothingSelected({ trafficControl: { spec }, optedOut = 0 }: StatusInput): string {
  const { podSelector, namespaceSelector } = spec.appliedTo;
  if (podSelector === undefined && namespaceSelector === undefined) return "appliedTo is empty and selects no Pod.";
  if (optedOut === 0) return "No running Pod matches appliedTo.";
  return `Every Pod that matches appliedTo (${optedOut}) is in a Namespace that has opted out.`;
}

function realizedSentence(
  { trafficControl: { spec }, asOfLastRun, optedOut = 0 }: StatusInput,
  judged: Judged[],
): string {
  const pods = judged.reduce((sum, { view }) => sum + view.pods, 0);
  const silent = judged.filter(({ state }) => state.state === "notReady").map(({ view }) => view.node);
  const answering = judged.length - silent.length;
  const text = `${spec.action === "Mirror" ? "Mirroring" : "Redirecting"} ${count(pods, POD)} on ${count(answering, NODE)} to ${targetText(spec.targetPort)}`;
  const without = optedOut === 0 ? "" : ` Left out: ${count(optedOut, POD)} in Namespaces that have opted out.`;
  if (asOfLastRun === true && silent.length === 0) return `${text}, as of each node's last run.${without}`;
  return `${silent.length === 0 ? text : `${text}; not on ${list(silent)}, which is not ready`}.${without}`;
}

/** Ready stays True for a moment, because only Pods that were born since are missing. */
function graceSentence(
  { spec }: TrafficControl,
  judged: Judged[],
  unrealized: Judged[],
): [reason: string, message: string] {
  const realized = judged.filter(({ state }) => state.state === "realized").length;
  const work = `programming ${list(unrealized.map(({ view }) => view.node))}`;
  if (realized === 0) return [REASONS.programming, `${work.charAt(0).toUpperCase()}${work.slice(1)}.`];
  return [
    REASONS.realized,
    `${spec.action === "Mirror" ? "Mirroring" : "Redirecting"} on ${count(realized, NODE)} to ${targetText(spec.targetPort)}; ${work}.`,
  ];
}

function notReadySentence(judged: Judged[]): string {
  return `Waiting for ${list(judged.map(({ view }) => view.node))} to become ready.`;
}

function ready(reason: string, message: string): Verdict {
  return { type: CONDITIONS.ready, status: "True", reason, message };
}

function reconciling(reason: string, message: string): Verdict[] {
  return [
    { type: CONDITIONS.ready, status: "False", reason, message },
    { type: CONDITIONS.reconciling, status: "True", reason, message },
  ];
}

function stalled(reason: string, message: string): Verdict[] {
  return [
    { type: CONDITIONS.ready, status: "False", reason, message },
    { type: CONDITIONS.stalled, status: "True", reason, message },
  ];
}
