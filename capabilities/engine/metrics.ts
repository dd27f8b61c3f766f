/**
 * Metrics of the engine under controller-runtime's names, so that generic operator dashboards and alerts work. All of them, with their
 * labels: docs/reference/metrics.md, which a test holds complete.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";

export type ReconcileOutcome = "success" | "error" | "requeue" | "requeue_after";
const OUTCOMES: ReconcileOutcome[] = ["success", "error", "requeue", "requeue_after"];
const RECONCILE_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const QUEUE_BUCKETS = [1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1, 10, 100, 1000];

/** Gauges that prom-client 15.1.3 calls like counters, which promtool objects to; the same figures are there by type. */
const MISNAMED = ["nodejs_active_handles_total", "nodejs_active_requests_total", "nodejs_active_resources_total"];

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
  readonly reconcilePanics = this.counter(
    "controller_runtime_reconcile_panics_total",
    "Reconciliations that failed for another reason than the API server's answer: a bug",
    ["controller"],
  );
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

  constructor(options: { processMetrics?: boolean; version?: string } = {}) {
    const { version = "unknown" } = options;
    this.gauge("trafficcontrol_build_info", "1, with the version of this process", ["version"]).set({ version }, 1);
    if (options.processMetrics !== true) return;
    collectDefaultMetrics({ register: this.registry });
    for (const name of MISNAMED) this.registry.removeSingleMetric(name);
  }

  /** Every series of a controller from the start: rate() over a series that appears with its first error shows nothing. */
  initialise(controller: string, workers: number): void {
    for (const result of OUTCOMES) this.reconciles.inc({ controller, result }, 0);
    for (const metric of [this.reconcileErrors, this.reconcilePanics]) metric.inc({ controller }, 0);
    this.reconcileTime.zero({ controller });
    for (const metric of [this.queueDuration, this.workDuration]) metric.zero({ name: controller });
    this.activeWorkers.set({ controller }, 0);
    this.maxConcurrent.set({ controller }, workers);
    for (const metric of [this.depth, this.unfinishedWork, this.longestRunning]) metric.set({ name: controller }, 0);
    for (const metric of [this.adds, this.retries]) metric.inc({ name: controller }, 0);
  }

  /** What usually comes back; other codes appear when they do. */
  initialiseRequests(host: string): void {
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"])
      for (const code of ["200", "403", "404", "409", "429", "500", "503", "<error>"])
        this.requests.inc({ method, code, host }, 0);
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
