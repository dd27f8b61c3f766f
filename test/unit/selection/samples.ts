/** Pods, Namespaces and selectors as the tests need them. */
import type { NamespaceFacts, PodFacts, SelectorFacts } from "../../../capabilities/selection";

export function samplePod(fields: Partial<PodFacts> = {}): PodFacts {
  const name = fields.name ?? "web-1";
  return {
    namespace: "default",
    name,
    uid: `uid-${name}`,
    labels: { app: "web" },
    node: "node-1",
    hostNetwork: false,
    finished: false,
    addresses: ["10.244.1.5"],
    macs: [],
    ...fields,
  };
}

export function sampleNamespace(fields: Partial<NamespaceFacts> = {}): NamespaceFacts {
  return { name: "default", labels: {}, allowsRedirect: false, optsOut: false, ...fields };
}

export function sampleSelector(fields: Partial<SelectorFacts> = {}): SelectorFacts {
  return {
    name: "tap",
    appliedTo: { podSelector: { matchLabels: { app: "web" } } },
    action: "Mirror",
    collectors: ["10.0.10.2"],
    ...fields,
  };
}
