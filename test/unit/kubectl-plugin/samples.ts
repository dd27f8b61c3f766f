/** Objects as kubectl returns them, for the plugin's tests. */
import { FINALIZER, type NodeTrafficPlan, type TrafficControl } from "@ovs-traffic-control/api";
import type { RawNamespace, RawPod } from "../../../capabilities/selection";
import { installation, type Installation } from "../../../packages/kubectl-trafficcontrol/src/installation";

export const NOT_INSTALLED: Installation = installation([]);

export function rawPod(name: string, labels: Record<string, string>, fields: Partial<RawPod["spec"]> = {}): RawPod {
  return {
    metadata: { namespace: "shop", name, uid: `uid-${name}`, resourceVersion: "1", labels },
    spec: { nodeName: "node-1", ...fields },
    status: { phase: "Running", podIPs: [{ ip: "10.244.1.5" }] },
  };
}

export function rawNamespace(annotations: Record<string, string> = {}): RawNamespace {
  return { metadata: { name: "shop", uid: "uid-shop", resourceVersion: "1", annotations } };
}

export function trafficControl(name: string, spec: Partial<TrafficControl["spec"]> = {}, second = 0): TrafficControl {
  return {
    apiVersion: "crd.antrea.io/v1alpha2",
    kind: "TrafficControl",
    metadata: {
      name,
      uid: `uid-${name}`,
      generation: 1,
      creationTimestamp: `2026-01-01T00:00:0${second}Z`,
      finalizers: [FINALIZER],
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

export const REDIRECT: Partial<TrafficControl["spec"]> = {
  action: "Redirect",
  targetPort: { ovsInternal: { name: "in0" } },
  returnPort: { ovsInternal: { name: "out0" } },
};

type Status = NonNullable<NodeTrafficPlan["status"]>;

/** The plan of node-1 with these TrafficControls for one Pod, confirmed unless told otherwise. */
export function plan(names: string[], pod: RawPod, status: Partial<Status> = {}): NodeTrafficPlan {
  const rules = names.map((name) => ({ name, uid: `uid-${name}`, generation: 1 }));
  const { namespace, name, uid } = pod.metadata;
  return {
    metadata: { name: "node-1" },
    spec: {
      nodeUID: "uid-node-1",
      hash: "hash",
      pods: [{ namespace, name, uid, class: 0 }],
      rules: rules.map((rule) => ({
        ...rule,
        direction: "Both",
        action: "Mirror",
        targetPort: { vxlan: { remoteIP: "10.0.10.2", destinationPort: 4789, vni: 0 } },
      })),
      classes: [{ rules: rules.map((_, index) => index) }],
    },
    status: {
      observedHash: "hash",
      rules: rules.map((rule) => ({ ...rule, realizedPods: 1, pendingPods: [], packets: 5, bytes: 500 })),
      ...status,
    },
  };
}
