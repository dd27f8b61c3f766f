/** Whether a TrafficControl selects a Pod: semantics "Selection", one function per sentence. */
import { compileSelector, type LabelPredicate, type Labels } from "./selector";
import { isOperatorPod, type NamespaceFacts, type PodFacts, type SelectorFacts } from "./facts";

/** A TrafficControl's selectors, compiled once. */
export interface Matcher {
  facts: SelectorFacts;
  podSelector: LabelPredicate;
  namespaceSelector: LabelPredicate;
  selectsNothing: boolean;
}

export type Match = "selected" | "collector" | "optedOut" | "no";

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

/** Whether the selectors match a Pod with these labels in this Namespace. */
export function matchesLabels(matcher: Matcher, labels: Labels, namespace: NamespaceFacts): boolean {
  if (matcher.selectsNothing) return false;
  if (matcher.facts.action === "Redirect" && namespace.name === "kube-system" && !namespace.allowsRedirect)
    return false;
  return matcher.podSelector(labels) && matcher.namespaceSelector(namespace.labels);
}

/**
 * "optedOut": the selectors match, but the Namespace has opted out. "collector": they match, but the Pod owns the address that
 * the packets are sent to.
 */
export function match(matcher: Matcher, pod: PodFacts, namespace: NamespaceFacts): Match {
  if (!matchesLabels(matcher, pod.labels, namespace)) return "no";
  if (namespace.optsOut) return "optedOut";
  return matcher.facts.collectors.some((address) => pod.addresses.includes(address)) ? "collector" : "selected";
}
