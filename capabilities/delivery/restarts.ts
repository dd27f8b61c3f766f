/** Back-off per node: how often its programmer has failed, and from when on it may be started again. */
import type { Clock } from "../engine";
import { retryDelay, type Outcome } from "./outcome";

/** A programmer that has run for so long was healthy; what ends it then is not the same failure once more. */
const HEALTHY_MS = 600_000;

interface Record_ {
  failures: number;
  notBefore: number;
  lastJob: string;
  /** Undefined: not by this process. */
  startedAt?: number;
  outcome?: Outcome;
  /** Hash of the plan that a programmer could not read: no use to try it again before there is another. */
  badHash?: string;
}

export class Restarts {
  private readonly records = new Map<string, Record_>();

  constructor(private readonly clock: Clock) {}

  started(node: string): void {
    const record = this.record(node);
    record.startedAt = this.clock.monotonic();
  }

  /** Milliseconds since this process has started the node's programmer; Infinity if it has not. */
  sinceStart(node: string): number {
    return this.clock.monotonic() - (this.records.get(node)?.startedAt ?? -Infinity);
  }

  /** To be called whenever a finished Job is seen; true the first time for this Job. */
  finished(node: string, jobUID: string, outcome: Outcome, planHash: string | undefined): boolean {
    const record = this.record(node);
    if (record.lastJob === jobUID) return false;
    record.lastJob = jobUID;
    const now = this.clock.monotonic();
    const wasHealthy = record.startedAt !== undefined && now - record.startedAt > HEALTHY_MS;
    record.failures = wasHealthy ? 0 : record.failures + 1;
    record.outcome = outcome.result === "done" ? undefined : outcome;
    record.badHash = outcome.result === "badPlan" ? planHash : undefined;
    record.notBefore = now + retryDelay(outcome, record.failures);
    return true;
  }

  /** The node has confirmed its plan: whatever was wrong is over. */
  succeeded(node: string): void {
    const record = this.records.get(node);
    if (record === undefined) return;
    record.failures = 0;
    record.outcome = undefined;
  }

  remaining(node: string, planHash: string | undefined): number {
    const record = this.records.get(node);
    if (record === undefined) return 0;
    if (record.badHash !== undefined && record.badHash !== planHash) return 0;
    return record.notBefore - this.clock.monotonic();
  }

  /** What the last programmer died of, while no other has made up for it. */
  failure(node: string): { outcome: Outcome; failures: number } | undefined {
    const record = this.records.get(node);
    return record?.outcome === undefined ? undefined : { outcome: record.outcome, failures: record.failures };
  }

  forget(node: string): void {
    this.records.delete(node);
  }

  private record(node: string): Record_ {
    let record = this.records.get(node);
    if (record === undefined) {
      record = { failures: 0, notBefore: -Infinity, lastJob: "" };
      this.records.set(node, record);
    }
    return record;
  }
}
