/**
 * A cluster's worth of Pods, Namespaces and TrafficControls, the same in every run: 50 Pods per app, labels as Deployments give them,
 * selectors of five kinds as in the published benchmarks of Antrea and Calico. Used by the benchmarks of the controller.
 */
import { FINALIZER, type TrafficControl, type TrafficControlSpec } from "../../../capabilities/api";
import type { NamespaceFacts, PodFacts, RawPod } from "../../../capabilities/selection";

export interface Size {
  pods: number;
  selectors: number;
  namespaces: number;
  nodes: number;
}

type AppliedTo = TrafficControlSpec["appliedTo"];

/** Numbers from 0 to 1 that are the same in every run (a linear congruential generator). */
function seeded(): () => number {
  let seed = 1;
  return () => (seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff) / 0x7fffffff;
}

export class Population {
  private readonly apps: number;
  private readonly random = seeded();
  private readonly appOfPod: Uint32Array;

  constructor(readonly size: Size) {
    this.apps = Math.max(1, Math.round(size.pods / 25));
    this.appOfPod = Uint32Array.from({ length: size.pods }, () => Math.floor(this.random() * this.apps));
  }

  namespace(index: number): NamespaceFacts {
    return { name: `ns${index}`, labels: this.namespaceLabels(index), allowsRedirect: false, optsOut: false };
  }

  namespaceLabels(index: number): Record<string, string> {
    return {
      "kubernetes.io/metadata.name": `ns${index}`,
      team: `t${index % 50}`,
      env: ["dev", "stage", "prod"][index % 3]!,
    };
  }

  pod(index: number): PodFacts {
    const { metadata, spec, status } = this.rawPod(index);
    return {
      namespace: metadata.namespace,
      name: metadata.name,
      uid: metadata.uid,
      labels: metadata.labels!,
      node: spec.nodeName!,
      hostNetwork: false,
      finished: false,
      addresses: status!.podIPs!.map(({ ip }) => ip),
      macs: [],
    };
  }

  /** With what a real Pod has besides, so that it is as long as one: 3 to 4 KB. */
  rawPod(index: number, version = index + 1): RawPod {
    const app = this.appOfPod[index]!;
    const ip = `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`;
    return {
      metadata: {
        namespace: `ns${app % this.size.namespaces}`,
        name: `app${app}-${((app * 7) % 9_999).toString(36)}-${index.toString(36)}`,
        uid: `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`,
        resourceVersion: String(version),
        labels: {
          app: `a${app}`,
          "pod-template-hash": `h${(app * 7) % 9_999}`,
          tier: ["web", "db", "cache"][app % 3]!,
          version: `v${app % 5}`,
        },
        annotations: { "example.com/config": "x".repeat(400) },
      },
      spec: { nodeName: `node-${index % this.size.nodes}`, ...FILLING },
      status: { phase: "Running", podIPs: [{ ip }], podIP: ip },
    };
  }

  trafficControl(index: number): TrafficControl {
    return appTrafficControl(index, this.apps);
  }

  appliedTo(index: number): AppliedTo {
    const kind = index % 10;
    if (kind < 5) return { podSelector: { matchLabels: { app: `a${Math.floor(this.random() * this.apps)}` } } };
    if (kind < 8)
      return {
        podSelector: { matchLabels: { tier: "web" } },
        namespaceSelector: { matchLabels: { team: `t${index % 50}` } },
      };
    if (kind < 9)
      return {
        podSelector: { matchExpressions: [{ key: "version", operator: "NotIn", values: ["v1", "v2"] }] },
        namespaceSelector: { matchLabels: { env: "prod" } },
      };
    return {
      podSelector: { matchExpressions: [{ key: "app", operator: "In", values: [`a${index}`, `a${index + 1}`] }] },
    };
  }
}

/** A selector per app, as far as there are apps: what teams write who look at their own traffic. */
function appTrafficControl(index: number, apps: number): TrafficControl {
  return {
    apiVersion: "crd.antrea.io/v1alpha2",
    kind: "TrafficControl",
    metadata: { name: `tc${index}`, uid: `tc-uid-${index}`, finalizers: [FINALIZER] },
    spec: {
      appliedTo: { podSelector: { matchLabels: { app: `a${(index * 7) % apps}` } } },
      direction: "Both",
      action: "Mirror",
      targetPort: { vxlan: { remoteIP: `192.0.2.${index % 200}`, vni: index } },
    },
  };
}

const FILLING = {
  containers: Array.from({ length: 2 }, (_, i) => ({
    name: `container-${i}`,
    image: `registry.example.com/team/image-${i}:v1.2.3`,
    env: Array.from({ length: 10 }, (_value, j) => ({ name: `VARIABLE_${j}`, value: "value ".repeat(8) })),
    resources: { requests: { cpu: "100m", memory: "128Mi" }, limits: { memory: "256Mi" } },
    volumeMounts: [{ name: "token", mountPath: "/var/run/secrets", readOnly: true }],
  })),
};
