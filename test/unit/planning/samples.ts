/** TrafficControls and plans as the tests need them. */
import { FINALIZER, type PlanStatus, type TrafficControl, type TrafficControlSpec } from "../../../capabilities/api";
import type { PlanFacts } from "../../../capabilities/planning";

export function sampleTrafficControl(
  metadata: Partial<TrafficControl["metadata"]> = {},
  spec: Partial<TrafficControlSpec> = {},
): TrafficControl {
  const name = metadata.name ?? "tap";
  return {
    apiVersion: "crd.antrea.io/v1alpha2",
    kind: "TrafficControl",
    metadata: {
      name,
      uid: `uid-${name}`,
      resourceVersion: "1",
      generation: 1,
      creationTimestamp: "2026-01-01T00:00:00Z",
      finalizers: [FINALIZER],
      ...metadata,
    },
    spec: {
      appliedTo: { podSelector: { matchLabels: { app: "web" } } },
      direction: "Both",
      action: "Mirror",
      targetPort: { vxlan: { remoteIP: "10.0.10.2" } },
      ...spec,
    },
  };
}

/** A plan with one rule per name, confirmed unless told otherwise. */
export function samplePlan(
  names: string[],
  fields: Partial<PlanFacts> = {},
  status: Partial<PlanStatus> = {},
): PlanFacts {
  const rules = names.map((name) => ({ name, uid: `uid-${name}`, generation: 1 }));
  return {
    node: "node-1",
    uid: "uid-plan",
    resourceVersion: "1",
    nodeUID: "uid-node-1",
    hash: "hash",
    rules,
    retiring: [],
    ...fields,
    status: {
      observedHash: "hash",
      rules: rules.map((rule) => ({ ...rule, realizedPods: 1, pendingPods: [] })),
      conditions: [],
      bridges: [],
      ...status,
    },
  };
}
