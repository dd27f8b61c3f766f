/**
 * What admission counts: trafficcontrol_admission_decisions_total {webhook,decision,reason} and, under controller-runtime's
 * names, controller_runtime_webhook_requests_total {webhook,code} and controller_runtime_webhook_latency_seconds {webhook};
 * trafficcontrol_certificate_expiration_timestamp_seconds.
 */
import { X509Certificate } from "node:crypto";
import type { EngineMetrics } from "../engine";
import { KINDS, type MistakeKind } from "./rules";

export type Webhook = "mutate" | "validate";
export type Decision = "allowed" | "denied" | "error";

const BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1];

export class AdmissionMetrics {
  private readonly decisions;
  private readonly requests;
  private readonly latency;
  private readonly certificateEnd;

  constructor(engine: EngineMetrics) {
    this.decisions = engine.counter("trafficcontrol_admission_decisions_total", "Decisions about TrafficControls", [
      "webhook",
      "decision",
      "reason",
    ]);
    this.requests = engine.counter("controller_runtime_webhook_requests_total", "Admission requests by HTTP code", [
      "webhook",
      "code",
    ]);
    this.latency = engine.histogram(
      "controller_runtime_webhook_latency_seconds",
      "Time that a decision takes",
      ["webhook"],
      BUCKETS,
    );
    this.certificateEnd = engine.gauge(
      "trafficcontrol_certificate_expiration_timestamp_seconds",
      "End of the certificate that this process serves; seconds since 1970",
      [],
    );
    // Every series from the start: rate() over one that appears with its first event shows nothing.
    for (const webhook of ["mutate", "validate"])
      for (const code of ["200", "400"]) this.requests.inc({ webhook, code }, 0);
    for (const webhook of ["mutate", "validate"])
      for (const decision of ["allowed", "error"]) this.decisions.inc({ webhook, decision, reason: "" }, 0);
    for (const reason of Object.keys(KINDS)) this.decisions.inc({ webhook: "validate", decision: "denied", reason }, 0);
  }

  /** @param pem the certificate that is served from now on */
  serves(pem: string): void {
    this.certificateEnd.set(Date.parse(new X509Certificate(pem).validTo) / 1000);
  }

  /** @param reason kind of the first mistake, of a denial only */
  observe(webhook: Webhook, decision: Decision, seconds: number, reason: MistakeKind | "" = ""): void {
    this.decisions.inc({ webhook, decision, reason });
    this.requests.inc({ webhook, code: "200" });
    this.latency.observe({ webhook }, seconds);
  }

  /** A request that was no AdmissionReview of a TrafficControl. */
  refuse(webhook: Webhook, code: number): void {
    this.requests.inc({ webhook, code: String(code) });
  }
}
