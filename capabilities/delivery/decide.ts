/** What to do about a node's Job. Pure: the whole life cycle is this table. */
import type { JobFacts } from "./facts";

export interface JobSituation {
  /** undefined: the Node object is gone. */
  node: { ready: boolean } | undefined;
  /** The plan asks for something, or the node has not confirmed yet that it asks for nothing. */
  wanted: boolean;
  job: JobFacts | undefined;
  /** What a Job made now would carry. */
  templateHash: string;
  /** The Job has reached the age at which it is renewed. */
  isOld: boolean;
  /** The Job is of the mode that is not the programmers' any more (resident, oneShot). */
  isOtherMode: boolean;
  /** Milliseconds until the node's back-off ends; 0 or less if there is none. */
  backoffMilliseconds: number;
}

export type JobDecision =
  | { action: "none" }
  | { action: "create" }
  | { action: "wait"; milliseconds: number }
  /** Foreground: the Job's name is free only when its Pod is gone. */
  | { action: "delete"; propagationPolicy: "Foreground" | "Background"; why: string }
  /** As delete, but another one follows: so the budget has to allow for it. */
  | { action: "replace"; why: string };

const OTHER_MODE = "programmers run in the other mode now";

export function decideJob(situation: JobSituation): JobDecision {
  const { node, wanted, job, templateHash, isOld, isOtherMode, backoffMilliseconds } = situation;
  if (node === undefined) {
    if (job === undefined || job.deleting) return { action: "none" };
    // Foreground here, too: the node may be back in a moment, with the old Pod still running on it.
    return { action: "delete", propagationPolicy: "Foreground", why: "its node is gone" };
  }
  if (job !== undefined) {
    // Its DELETED event brings us back.
    if (job.deleting) return { action: "none" };
    if (job.state !== "active") return { action: "delete", propagationPolicy: "Background", why: "it has finished" };
    // On a node that does not answer, the old Pod would be terminating for ever and the new one could not start.
    if (!node.ready) return { action: "none" };
    // A resident one would stay for as long as anything is tapped.
    if (isOtherMode && !wanted) return { action: "delete", propagationPolicy: "Foreground", why: OTHER_MODE };
    if (wanted) {
      if (isOtherMode) return { action: "replace", why: OTHER_MODE };
      if (job.templateHash !== templateHash) return { action: "replace", why: "its template is out of date" };
      if (isOld) return { action: "replace", why: "it is renewed from time to time" };
    }
    return { action: "none" };
  }
  if (!wanted || !node.ready) return { action: "none" };
  if (backoffMilliseconds > 0) return { action: "wait", milliseconds: backoffMilliseconds };
  return { action: "create" };
}
