/**
 * The callbacks that Pepr calls, as capabilities/traffic-control.ts lists them. They never throw and never wait: Pepr would
 * answer a thrown error with `Action failed with error: {}`, or with a denial without explanation.
 */
import type { KubernetesObject } from "kubernetes-fluent-client";
import type { PeprValidateRequest } from "pepr";
import { ANNOTATIONS } from "../api";
import type { Logger } from "../engine";
import type { AdmissionMetrics, Decision } from "./metrics";
import { denial, judge, signature, warningLines, type Review } from "./review";
import type { MistakeKind, Surroundings } from "./rules";

/** The parts of Pepr's requests that are used. */
type AnyRequest = PeprValidateRequest<KubernetesObject>;
type ValidateRequest = Pick<AnyRequest, "Request" | "Approve" | "Deny">;
type MutateRequest = Pick<AnyRequest, "Request" | "Raw"> & {
  SetAnnotation(name: string, value: string): unknown;
  RemoveAnnotation(name: string): unknown;
};
type Answer = ReturnType<AnyRequest["Approve"]>;

export interface AdmissionCallbacks {
  /** Early and validating webhook: refuses every mistake at once. */
  refuseMistakes: (request: ValidateRequest) => Answer;
  /** Mutating webhook: adds the finalizer and the author; spec stays as the user wrote it. */
  signObject: (request: MutateRequest) => void;
}

/** @param surroundings what a new TrafficControl is compared with */
export function admissionCallbacks(
  metrics: AdmissionMetrics,
  log: Logger,
  surroundings: Surroundings,
): AdmissionCallbacks {
  return {
    refuseMistakes: (request) => {
      const started = performance.now();
      const observe = (decision: Decision, reason: MistakeKind | "" = ""): void =>
        metrics.observe("validate", decision, (performance.now() - started) / 1000, reason);
      try {
        const verdict = judge(reviewOf(request), surroundings);
        const warnings = warningLines(verdict.warnings);
        observe(verdict.allowed ? "allowed" : "denied", verdict.allowed ? "" : verdict.mistakes[0]?.kind);
        return verdict.allowed ? request.Approve(warnings) : request.Deny(denial(verdict.mistakes), 422, warnings);
      } catch (error) {
        log.error({ err: error, uid: request.Request.uid }, "a bug in the admission rules");
        observe("error");
        return request.Deny(
          "ovs-traffic-control could not judge this object because of a bug of its own; the log of its admission Pods has the details",
          500,
        );
      }
    },
    signObject: (request) => {
      const started = performance.now();
      let decision: Decision = "allowed";
      try {
        sign(request);
      } catch (error) {
        // The controller adds a missing finalizer before any plan names the object: better unsigned than refused.
        log.error({ err: error, uid: request.Request.uid }, "a bug: the object goes on without finalizer and author");
        decision = "error";
      }
      metrics.observe("mutate", decision, (performance.now() - started) / 1000);
    },
  };
}

function sign(request: MutateRequest): void {
  const wanted = signature(reviewOf(request));
  if (wanted === undefined) return;
  request.Raw.metadata ??= {};
  if (wanted.finalizers.length > 0) request.Raw.metadata.finalizers = wanted.finalizers;
  if (wanted.author === undefined) request.RemoveAnnotation(ANNOTATIONS.lastChangedBy);
  else request.SetAnnotation(ANNOTATIONS.lastChangedBy, wanted.author);
}

function reviewOf({ Request }: Pick<AnyRequest, "Request">): Review {
  const { operation, object, oldObject, userInfo } = Request as {
    operation: string;
    object: unknown;
    oldObject?: unknown;
    userInfo?: { username?: string };
  };
  return { operation, object, oldObject, username: userInfo?.username };
}
