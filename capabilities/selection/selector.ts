/** Kubernetes' label selectors (metav1.LabelSelector), compiled to predicates. */
import type { LabelSelector } from "../api";

export type Labels = Readonly<Record<string, string>>;
export type LabelPredicate = (labels: Labels) => boolean;

type Requirement = NonNullable<LabelSelector["matchExpressions"]>[number];

/** True for labels that satisfy every requirement; an empty selector is satisfied by everything. */
export function compileSelector(selector: LabelSelector): LabelPredicate {
  const equalities = Object.entries(selector.matchLabels ?? {});
  const requirements = (selector.matchExpressions ?? []).map(compileRequirement);
  return (labels) =>
    equalities.every(([key, value]) => own(labels, key) === value) && requirements.every((holds) => holds(labels));
}

function compileRequirement({ key, operator, values }: Requirement): LabelPredicate {
  const allowed = new Set(values);
  switch (operator) {
    case "In":
      return (labels) => {
        const value = own(labels, key);
        return value !== undefined && allowed.has(value);
      };
    case "NotIn":
      // As in Kubernetes: an object without the label satisfies it.
      return (labels) => {
        const value = own(labels, key);
        return value === undefined || !allowed.has(value);
      };
    case "Exists":
      return (labels) => own(labels, key) !== undefined;
    case "DoesNotExist":
      return (labels) => own(labels, key) === undefined;
    default:
      // The schema admits no other; a wiretap that cannot be understood selects nothing.
      return () => false;
  }
}

/** A label may be called like a property of every object ("constructor"). */
function own(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}
