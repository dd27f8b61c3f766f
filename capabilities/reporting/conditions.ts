/** Conditions as Kubernetes wants them: one per type, abnormal ones only while true, a time that says when the status changed. */
import type { Condition } from "../api";

export type Verdict = Pick<Condition, "type" | "status" | "reason" | "message">;

/** The CRD's limit. */
const MAXIMUM_MESSAGE = 1024;

/** The conditions after the verdicts. lastTransitionTime is kept where the status is the same as before. */
export function conditionsOf(
  verdicts: readonly Verdict[],
  before: readonly Condition[],
  generation: number,
  now: number,
): Condition[] {
  const time = `${new Date(now).toISOString().slice(0, 19)}Z`;
  return verdicts.map((verdict) => {
    const previous = before.find(({ type }) => type === verdict.type);
    return {
      type: verdict.type,
      status: verdict.status,
      observedGeneration: generation,
      lastTransitionTime: previous?.status === verdict.status ? previous.lastTransitionTime : time,
      reason: verdict.reason,
      message: shorten(verdict.message),
    };
  });
}

export function shorten(message: string): string {
  return message.length <= MAXIMUM_MESSAGE ? message : `${message.slice(0, MAXIMUM_MESSAGE - 1)}…`;
}
