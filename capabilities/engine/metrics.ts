/**
 * Metrics of the engine under controller-runtime's names, so that generic operator dashboards and alerts work.
 *
 * workqueue_depth, _adds_total, _retries_total, _queue_duration_seconds, _work_duration_seconds, _unfinished_work_seconds,
 * _longest_running_processor_seconds {name}; controller_runtime_reconcile_total {controller,result}, _reconcile_errors_total,
 * _reconcile_time_seconds, _active_workers, _max_concurrent_reconciles {controller}; rest_client_requests_total {code,method,host};
 * leader_election_master_status {name}; nodejs_* and process_*.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";

export type ReconcileOutcome = "success" | "error" | "requeue" | "requeue_after";
const OUTCOMES: ReconcileOutcome[] = ["success", "error", "requeue", "requeue_after"];
const RECONCILE_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const QUEUE_BUCKETS = [1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1, 10, 100, 1000];

/** What the engine counts. One per process; tests make their own. */
export class EngineMetrics {
  readonly registry = new Registry();
  readonly depth = this.gauge("workqueue_depth", "Current depth of the work queue", ["name"]);
  readonly adds = this.counter("workqueue_adds_total", "Keys added to the work queue", ["name"]);
  readonly retries = this.counter("workqueue_retries_total", "Keys added again after a failure", ["name"]);
  readonly queueDuration = this.histogram(
    "workqueue_queue_duration_seconds",
    "Time that a key waits in the work queue",
    ["name"],
    QUEUE_BUCKETS,
  );
  readonly workDuration = this.histogram(
    "workqueue_work_duration_seconds",
    "Time that processing a key takes",
    ["name"],
    QUEUE_BUCKETS,
  );
  readonly unfinishedWork = this.gauge("workqueue_unfinished_work_seconds", "Sum of the ages of running work", [
    "name",
  ]);
  readonly longestRunning = this.gauge(
    "workqueue_longest_running_processor_seconds",
    "Age of the oldest running work",
    ["name"],
  );
  readonly reconciles = this.counter("controller_runtime_reconcile_total", "Reconciliations by result", [
    "controller",
    "result",
  ]);
  readonly reconcileErrors = this.counter("controller_runtime_reconcile_errors_total", "Failed reconciliations", [
    "controller",
  ]);
  readonly reconcileTime = this.histogram(
    "controller_runtime_reconcile_time_seconds",
    "Time per reconciliation",
    ["controller"],
    RECONCILE_BUCKETS,
  );
  readonly activeWorkers = this.gauge("controller_runtime_active_workers", "Workers that are busy", ["controller"]);
  readonly maxConcurrent = this.gauge("controller_runtime_max_concurrent_reconciles", "Workers in all", ["controller"]);
  readonly requests = this.counter("rest_client_requests_total", "Requests to the API server by result", [
    "code",
    "method",
    "host",
  ]);
  readonly leader = this.gauge("leader_election_master_status", "1 while this process holds the Lease", ["name"]);

  constructor(options: { processMetrics?: boolean } = {}) {
    if (options.processMetrics === true) collectDefaultMetrics({ register: this.registry });
  }

  /** Every series of a controller from the start: rate() over a series that appears with its first error shows nothing. */
  initialise(controller: string, workers: number): void {
    for (const result of OUTCOMES) this.reconciles.inc({ controller, result }, 0);
    this.reconcileErrors.inc({ controller }, 0);
    this.activeWorkers.set({ controller }, 0);
    this.maxConcurrent.set({ controller }, workers);
    for (const metric of [this.depth, this.unfinishedWork, this.longestRunning]) metric.set({ name: controller }, 0);
    for (const metric of [this.adds, this.retries]) metric.inc({ name: controller }, 0);
  }

  counter<Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  gauge<Label extends string>(name: string, help: string, labelNames: Label[]): Gauge<Label> {
    return new Gauge({ name, help, labelNames, registers: [this.registry] });
  }

  histogram<Label extends string>(
    name: string,
    help: string,
    labelNames: Label[],
    buckets: number[],
  ): Histogram<Label> {
    return new Histogram({ name, help, labelNames, buckets, registers: [this.registry] });
  }
}
