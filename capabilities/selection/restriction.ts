/**
 * What a selector demands of single labels, so that most selectors need not be tried at all: the idea of Calico's label restriction
 * index. Used by the selection index on both sides, to find selectors for labels and labels for selectors. Pure.
 */
import type { LabelSelector } from "../api";

/** Labels that satisfy the selector have this key, with one of these values if any are named. */
export interface Restriction {
  of: "pod" | "namespace";
  key: string;
  values?: readonly string[];
}

/** Every demand that a single label can refute. NotIn and DoesNotExist demand nothing of labels that are there. */
export function restrictionsOf(of: Restriction["of"], selector: LabelSelector | undefined): Restriction[] {
  if (selector === undefined) return [];
  const equalities = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => ({ of, key, values: [value] }));
  const others = (selector.matchExpressions ?? []).flatMap(({ key, operator, values }): Restriction[] => {
    if (operator === "In") return [{ of, key, values: [...new Set(values)] }];
    return operator === "Exists" ? [{ of, key }] : [];
  });
  return [...equalities, ...others];
}

/** Every key that the selector looks at, each once. */
export function keysOf(selector: LabelSelector | undefined): Set<string> {
  const expressions = (selector?.matchExpressions ?? []).map(({ key }) => key);
  return new Set([...Object.keys(selector?.matchLabels ?? {}), ...expressions]);
}
