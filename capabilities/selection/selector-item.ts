/** One way to select Pods, shared by all TrafficControls that have it, and how many Pods it selects where. Owned by the selection index. */
import type { SelectorFacts } from "./facts";
import { compileMatcher, type Matcher } from "./match";
import { keysOf, restrictionsOf, type Restriction } from "./restriction";

export interface SelectorItem {
  identity: string;
  matcher: Matcher;
  restrictions: readonly Restriction[];
  /** Pod labels that it looks at. */
  podKeys: ReadonlySet<string>;
  /** Names of the TrafficControls that have it. */
  trafficControls: Set<string>;
  /** Number of matching Pods per node, collectors included, those of Namespaces that have opted out not. */
  nodes: Map<string, number>;
  pods: number;
  /** Number of matching Pods in Namespaces that have opted out. */
  optedOut: number;
}

/** Equal for TrafficControls that select the same Pods whatever there is, collectors apart. */
export function selectorIdentity({ appliedTo, action }: SelectorFacts): string {
  return JSON.stringify([appliedTo.podSelector, appliedTo.namespaceSelector, action === "Redirect"]);
}

export function makeSelectorItem(facts: SelectorFacts): SelectorItem {
  const { podSelector, namespaceSelector } = facts.appliedTo;
  return {
    identity: selectorIdentity(facts),
    matcher: compileMatcher(facts),
    restrictions: [...restrictionsOf("pod", podSelector), ...restrictionsOf("namespace", namespaceSelector)],
    podKeys: keysOf(podSelector),
    trafficControls: new Set(),
    nodes: new Map(),
    pods: 0,
    optedOut: 0,
  };
}
