/** How a programmer has ended, and when its node is tried again. Pure. */
import { EXIT, REASONS } from "../api";
import { backoffDelay, type BackoffOptions } from "../engine";
import type { JobFacts, ProgrammerPodFacts } from "./facts";

export type Result = "done" | "badPlan" | "podsPending" | "ovsUnreachable" | "bug" | "superseded" | "lost";
export const RESULTS: Result[] = ["done", "badPlan", "podsPending", "ovsUnreachable", "bug", "superseded", "lost"];

export interface Outcome {
  result: Result;
  /** Reason and sentence for the TrafficControls that wait for this node. */
  reason: string;
  message: string;
}

const BY_EXIT_CODE = new Map<number, Result>([
  [EXIT.done, "done"],
  [EXIT.badPlan, "badPlan"],
  [EXIT.podsPending, "podsPending"],
  [EXIT.ovsUnreachable, "ovsUnreachable"],
  [EXIT.bug, "bug"],
  [EXIT.superseded, "superseded"],
]);

const SENTENCES: Record<Result, string> = {
  done: "The node programmer has ended.",
  badPlan: "The node programmer cannot read its plan",
  podsPending: "The node programmer ended with Pods pending",
  ovsUnreachable: "Open vSwitch does not answer on the node",
  bug: "The node programmer has crashed",
  superseded: "Another node programmer is at work on the node",
  lost: "The node programmer's Pod was lost",
};

const REASON_OF: Partial<Record<Result, string>> = {
  ovsUnreachable: REASONS.ovsUnreachable,
  podsPending: REASONS.podsPending,
};

/** Open vSwitch comes back within seconds after a restart; what is wrong with a plan or an image stays wrong for longer. */
const RETRY: Record<Result, BackoffOptions> = {
  done: { baseMilliseconds: 500, maximumMilliseconds: 60_000, jitter: 0.2 },
  badPlan: { baseMilliseconds: 5_000, maximumMilliseconds: 600_000, jitter: 0.2 },
  podsPending: { baseMilliseconds: 1_000, maximumMilliseconds: 60_000, jitter: 0.2 },
  ovsUnreachable: { baseMilliseconds: 1_000, maximumMilliseconds: 30_000, jitter: 0.2 },
  bug: { baseMilliseconds: 1_000, maximumMilliseconds: 300_000, jitter: 0.2 },
  superseded: { baseMilliseconds: 2_000, maximumMilliseconds: 60_000, jitter: 0.2 },
  lost: { baseMilliseconds: 500, maximumMilliseconds: 60_000, jitter: 0.2 },
};

export function outcomeOf(job: JobFacts, pod: ProgrammerPodFacts | undefined): Outcome {
  const code = job.state === "succeeded" ? EXIT.done : pod?.exit?.code;
  const result =
    (code === undefined ? undefined : BY_EXIT_CODE.get(code)) ?? (code === undefined || code < 0 ? "lost" : "bug");
  const detail = lastLine(pod?.exit?.message) || pod?.exit?.reason || job.message || "";
  const sentence = SENTENCES[result];
  return {
    result,
    reason: REASON_OF[result] ?? REASONS.programmerFailed,
    message: result === "done" || detail === "" ? sentence : `${sentence}: ${detail}`,
  };
}

export function retryDelay(outcome: Outcome, failures: number, random?: () => number): number {
  return failures === 0 ? 0 : backoffDelay(failures, { ...RETRY[outcome.result], random });
}

/** Why a Pod that has not ended does not run, if it is more than a matter of time. */
export function complaintOf(pod: ProgrammerPodFacts | undefined): Outcome | undefined {
  if (pod?.waiting === undefined || pod.exit !== undefined) return undefined;
  const { reason, message } = pod.waiting;
  // The scheduler's first sentence says what is missing; the others what preemption has to do with it.
  const [sentence = ""] = lastLine(message).split(". ");
  const detail = sentence === "" ? reason : `${reason}: ${sentence}`;
  return {
    result: "lost",
    reason: REASONS.programmerFailed,
    message: `The node programmer's Pod does not start: ${detail}`,
  };
}

/** Milliseconds for the Job controller to make the Pod of a new Job, also while it has many to make. */
const POD_PATIENCE = 15_000;

/** Milliseconds until a Job without a Pod is no matter of time any more. */
export function untilRefused(age: number): number {
  return POD_PATIENCE - age;
}

/** Why a Job has no Pod, which only its Events say: admission refuses privileged Pods in its namespace. */
export function refusalOf({ name }: JobFacts, namespace: string): Outcome {
  return {
    result: "lost",
    reason: REASONS.programmerFailed,
    message:
      "The node programmer's Pod is not made: Pod Security, OpenShift's SecurityContextConstraints or another policy refuses it. " +
      `kubectl -n ${namespace} describe job ${name} says which`,
  };
}

/** Termination messages may hold the end of the log; its last line is what the process died of. The programmer's lines are JSON. */
function lastLine(text: string | undefined): string {
  const lines = (text ?? "").trim().split("\n");
  const last = lines.at(-1) ?? "";
  return (wordsOf(last) ?? last).slice(0, 300);
}

function wordsOf(line: string): string | undefined {
  try {
    const { message, problems } = JSON.parse(line) as { message?: unknown; problems?: unknown };
    if (Array.isArray(problems) && problems.length > 0) return problems.map(String).join("; ");
    return typeof message === "string" ? message : undefined;
  } catch {
    return undefined;
  }
}
