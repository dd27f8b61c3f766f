/**
 * What a cluster with TrafficControls is like, in the simplest words: the commands that change it, and which echo requests and
 * replies are copied where. Matches selectors by its own few lines, so that it shares no mistake with the operator. Pure.
 */
import fc from "fast-check";

export const NAMESPACES = ["x", "y"] as const;
/** Pods of the pool, by name: Namespace and number of the node. */
export const PODS = { "x-1": 0, "x-2": 1, "y-1": 0, "y-2": 1 } as const;
export const TAPS = ["one", "two", "three"] as const;
/** On the Namespaces of the model, so that no selector means a Pod of somebody else. */
export const OWN = { model: "yes" };
const DIRECTIONS = ["Ingress", "Egress", "Both"] as const;

type Labels = Record<string, string>;
export type PodName = keyof typeof PODS;
export type TapName = (typeof TAPS)[number];
type Expression =
  | { key: string; operator: "In" | "NotIn"; values: string[] }
  | { key: string; operator: "Exists" | "DoesNotExist" };
export interface Selector {
  matchLabels?: Labels;
  matchExpressions?: Expression[];
}
export interface Tap {
  direction: (typeof DIRECTIONS)[number];
  podSelector: Selector;
  namespaceSelector: Selector;
}

export type Command =
  | { do: "tap"; name: TapName; tap: Tap }
  | { do: "untap"; name: TapName }
  | { do: "label a Pod"; pod: PodName; labels: Labels }
  | { do: "label a Namespace"; namespace: (typeof NAMESPACES)[number]; labels: Labels }
  | { do: "start or stop a Pod"; pod: PodName };

export interface Model {
  taps: Map<TapName, Tap>;
  /** Labels of the Pods that run. */
  pods: Map<PodName, Labels>;
  namespaces: Map<string, Labels>;
}

export const KEYS = ["a", "b"];
const value = fc.constantFrom("1", "2");
const key = fc.constantFrom(...KEYS);
const labels: fc.Arbitrary<Labels> = fc
  .array(fc.tuple(key, value), { maxLength: 2 })
  .map((entries) => Object.fromEntries(entries));
const expression: fc.Arbitrary<Expression> = fc.oneof(
  fc.record({
    key,
    operator: fc.constantFrom("In" as const, "NotIn" as const),
    values: fc.uniqueArray(value, { minLength: 1, maxLength: 2 }),
  }),
  fc.record({ key, operator: fc.constantFrom("Exists" as const, "DoesNotExist" as const) }),
);
const selector: fc.Arbitrary<Selector> = fc.oneof(
  fc.constant({}),
  labels.map((matchLabels) => ({ matchLabels })),
  fc.array(expression, { minLength: 1, maxLength: 2 }).map((matchExpressions) => ({ matchExpressions })),
);
const tap: fc.Arbitrary<Tap> = fc.record({
  direction: fc.constantFrom(...DIRECTIONS),
  podSelector: selector,
  namespaceSelector: selector,
});
const pod = fc.constantFrom(...(Object.keys(PODS) as PodName[]));
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant("tap" as const), name: fc.constantFrom(...TAPS), tap }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("untap" as const), name: fc.constantFrom(...TAPS) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("label a Pod" as const), pod, labels }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("label a Namespace" as const),
      namespace: fc.constantFrom(...NAMESPACES),
      labels,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("start or stop a Pod" as const), pod }) },
);
/** Commands that are given at once, before anybody looks. */
export const batch = fc.array(command, { minLength: 1, maxLength: 3 });

export function apply(model: Model, command: Command): void {
  switch (command.do) {
    case "tap":
      model.taps.set(command.name, command.tap);
      return;
    case "untap":
      model.taps.delete(command.name);
      return;
    case "label a Pod":
      if (model.pods.has(command.pod)) model.pods.set(command.pod, command.labels);
      return;
    case "label a Namespace":
      model.namespaces.set(command.namespace, command.labels);
      return;
    case "start or stop a Pod":
      if (!model.pods.delete(command.pod)) model.pods.set(command.pod, {});
  }
}

export function selected(model: Model, { podSelector, namespaceSelector }: Tap): PodName[] {
  return [...model.pods]
    .filter(([, own]) => matches(podSelector, own))
    .map(([name]) => name)
    .filter((name) => matches(namespaceSelector, model.namespaces.get(name[0]!) ?? {}))
    .sort();
}

function matches({ matchLabels = {}, matchExpressions = [] }: Selector, own: Labels): boolean {
  const holds = (each: Expression): boolean => {
    const has = own[each.key];
    if (each.operator === "Exists") return has !== undefined;
    if (each.operator === "DoesNotExist") return has === undefined;
    const isListed = has !== undefined && "values" in each && each.values.includes(has);
    return each.operator === "In" ? isListed : !isListed;
  };
  return Object.entries(matchLabels).every(([name, wanted]) => own[name] === wanted) && matchExpressions.every(holds);
}

/** Copies of `count` echo requests to each Pod and of their answers: "one: requests to x-1" → how many. */
export function copies(model: Model, count: number): Record<string, number> {
  const found = [...model.taps].flatMap(([name, { direction, ...selectors }]) =>
    selected(model, { direction, ...selectors }).flatMap((pod) => [
      ...(direction === "Egress" ? [] : [`${name}: requests to ${pod}`]),
      ...(direction === "Ingress" ? [] : [`${name}: replies of ${pod}`]),
    ]),
  );
  return Object.fromEntries(found.sort().map((what) => [what, count]));
}
