/** What delivery counts: node programmers' Jobs, by how they have ended, and how many wait or are under way. */
import type { EngineMetrics } from "../engine";
import { RESULTS } from "./outcome";

export class DeliveryMetrics {
  readonly jobs;
  readonly jobsCreated;
  readonly jobsInFlight;
  readonly jobsDelayed;

  constructor(metrics: EngineMetrics) {
    this.jobs = metrics.counter("trafficcontrol_node_jobs_total", "Node programmers that have ended, by result", [
      "result",
    ]);
    this.jobsCreated = metrics.counter("trafficcontrol_node_jobs_created_total", "Jobs made for node programmers", []);
    this.jobsInFlight = metrics.gauge(
      "trafficcontrol_node_jobs_in_flight",
      "Jobs whose programmer has not started yet",
      [],
    );
    this.jobsDelayed = metrics.counter(
      "trafficcontrol_node_jobs_delayed_total",
      "Times that a Job had to wait for the budget",
      [],
    );
    for (const result of RESULTS) this.jobs.inc({ result }, 0);
  }
}
