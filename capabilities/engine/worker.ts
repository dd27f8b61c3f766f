/** Workers that take keys from a queue and reconcile them: the loop of every controller. */
import type { Clock } from "./clock";
import type { Logger } from "./log";
import type { EngineMetrics, ReconcileOutcome } from "./metrics";
import { ApiError } from "./result";
import type { Turns } from "./turn";
import type { WorkQueue } from "./workqueue";

/** What reconcile wants next: nothing, or to be called again after so many milliseconds even if nothing changes. */
export interface ReconcileResult {
  requeueAfterMilliseconds?: number;
}

export interface WorkerOptions {
  controller: string;
  queue: WorkQueue;
  /** Makes the world as the key's object wants it. Level-triggered: reads current state, may be called any number of times. */
  reconcile: (key: string) => Promise<ReconcileResult>;
  concurrency: number;
  /** Shared by all workers of the process. */
  turns: Turns;
  clock: Clock;
  metrics: EngineMetrics;
  log: Logger;
}

/** Runs until the queue is stopped and the work in hand is done. */
export async function runWorkers(options: WorkerOptions): Promise<void> {
  options.metrics.initialise(options.controller, options.concurrency);
  await Promise.all(Array.from({ length: options.concurrency }, () => runWorker(options)));
}

async function runWorker(options: WorkerOptions): Promise<void> {
  const { queue, metrics, controller, turns } = options;
  for (;;) {
    const key = await queue.take();
    if (key === undefined) return;
    // Asked again after each wait: all workers wake in one turn, and the first may use it up.
    for (let over = turns.over(); over !== undefined; over = turns.over()) await over;
    metrics.activeWorkers.inc({ controller });
    const started = options.clock.monotonic();
    const result = await reconcileOnce(key, options);
    metrics.reconcileTime.observe({ controller }, (options.clock.monotonic() - started) / 1000);
    metrics.reconciles.inc({ controller, result });
    metrics.activeWorkers.dec({ controller });
    queue.done(key);
  }
}

async function reconcileOnce(key: string, options: WorkerOptions): Promise<ReconcileOutcome> {
  const { queue, metrics, controller, log } = options;
  try {
    const { requeueAfterMilliseconds } = await options.reconcile(key);
    queue.forget(key);
    if (requeueAfterMilliseconds === undefined) return "success";
    queue.addAfter(key, requeueAfterMilliseconds);
    return "requeue_after";
  } catch (error) {
    metrics.reconcileErrors.inc({ controller });
    if (!(error instanceof ApiError)) metrics.reconcilePanics.inc({ controller });
    queue.addRateLimited(key);
    // The first failure is often a conflict that the next attempt resolves by itself.
    const level = queue.failuresOf(key) > 1 ? "warn" : "info";
    log[level](
      { key, failures: queue.failuresOf(key), error: describe(error) },
      "reconcile failed; will be tried again",
    );
    return "error";
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
