/** Whether a TrafficControl selects a Pod: semantics "Selection", one function per sentence. */
import { compileSelector, type LabelPredicate } from "./selector";
import { isOperatorPod, type NamespaceFacts, type PodFacts, type SelectorFacts } from "./facts";

/** A TrafficControl's selectors, compiled once. */
export interface Matcher {
  facts: SelectorFacts;
  podSelector: LabelPredicate;
  namespaceSelector: LabelPredicate;
  selectsNothing: boolean;
}

export type Match = "selected" | "collector" | "no";

const everything: LabelPredicate = () => true;

export function compileMatcher(facts: SelectorFacts): Matcher {
  const { podSelector, namespaceSelector } = facts.appliedTo;
  return {
    facts,
    podSelector: podSelector === undefined ? everything : compileSelector(podSelector),
    namespaceSelector: namespaceSelector === undefined ? everything : compileSelector(namespaceSelector),
    selectsNothing: podSelector === undefined && namespaceSelector === undefined,
  };
}

/** Whether any TrafficControl may select the Pod at all. */
export function isSelectable(pod: PodFacts, operatorNamespaces: ReadonlySet<string>): boolean {
  return pod.node !== "" && !pod.hostNetwork && !pod.finished && !isOperatorPod(pod, operatorNamespaces);
}

/** "collector": the selectors match, but the Pod owns the address that the packets are sent to. */
export function match(matcher: Matcher, pod: PodFacts, namespace: NamespaceFacts): Match {
  if (matcher.selectsNothing) return "no";
  if (!matcher.podSelector(pod.labels) || !matcher.namespaceSelector(namespace.labels)) return "no";
  const { action, collectors } = matcher.facts;
  if (action === "Redirect" && namespace.name === "kube-system" && !namespace.allowsRedirect) return "no";
  return collectors.some((address) => pod.addresses.includes(address)) ? "collector" : "selected";
}
