/** trafficcontrol_node_jobs_total {result}: programmers that have ended, by how. */
import type { EngineMetrics } from "../engine";
import { RESULTS } from "./outcome";

export class DeliveryMetrics {
  readonly jobs;

  constructor(metrics: EngineMetrics) {
    this.jobs = metrics.counter("trafficcontrol_node_jobs_total", "Node programmers that have ended, by result", [
      "result",
    ]);
    for (const result of RESULTS) this.jobs.inc({ result }, 0);
  }
}
