/** AdmissionReviews as an API server sends them. Used by the tests and benchmarks that talk to the webhook themselves. */
import { FINALIZER, TRAFFIC_CONTROL } from "@ovs-traffic-control/api";

const { group, version, kind, plural } = TRAFFIC_CONTROL;

export interface AdmissionReview {
  apiVersion: string;
  kind: string;
  request: { uid: string; operation: string; object: unknown; oldObject?: unknown } & Record<string, unknown>;
}

/** About the creation of `object`, or about its change, if there is an old one. */
export function reviewOf(
  object: unknown,
  oldObject?: unknown,
  uid = "705ab4f5-6393-11e8-b7cc-42010a800002",
): AdmissionReview {
  const name = (object as { metadata?: { name?: string } }).metadata?.name;
  return {
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    request: {
      ...{ uid, name, kind: { group, version, kind }, resource: { group, version, resource: plural } },
      ...{ requestKind: { group, version, kind }, requestResource: { group, version, resource: plural } },
      operation: oldObject === undefined ? "CREATE" : "UPDATE",
      userInfo: { username: "alice", groups: ["system:authenticated"] },
      ...{ object: stored(object), oldObject: oldObject === undefined ? null : stored(oldObject), dryRun: false },
      options: { kind: "CreateOptions", apiVersion: "meta.k8s.io/v1", fieldManager: "kubectl-client-side-apply" },
    },
  };
}

/** With the metadata that the API server has added by then. */
function stored(object: unknown): unknown {
  const { metadata, ...rest } = object as { metadata?: object };
  const added = {
    uid: "b0a2b7d0-54ae-4f0c-9f46-2f3e7a5ad3f1",
    creationTimestamp: "2026-01-01T00:00:00Z",
    generation: 1,
  };
  const managedFields = [
    {
      ...{ manager: "kubectl-client-side-apply", operation: "Update", apiVersion: `${group}/${version}` },
      ...{ time: "2026-01-01T00:00:00Z", fieldsType: "FieldsV1", fieldsV1: { "f:spec": { ".": {}, "f:action": {} } } },
    },
  ];
  return { ...rest, metadata: { ...metadata, ...added, finalizers: [FINALIZER], managedFields } };
}
