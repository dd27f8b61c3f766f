/** The selection index beside naive matching of every Pod against every selector, on the same objects and with the same answer. */
import type { SelectorFacts } from "../../../capabilities/selection";
import { compileMatcher, isSelectable, match, SelectionIndex } from "../../../capabilities/selection";
import type { Population } from "./population";

export interface IndexFigures {
  pairs: number;
  /** All in milliseconds, but for events: microseconds per event. */
  naive: { everything: number; podEvent: number };
  index: { selectorsFirst: number; podsFirst: number; podEvent: number; newKey: number };
  /** Heap that the index takes beside the Pods themselves, bytes. */
  heap: number;
}

const NO_OPERATOR = new Set<string>();
const EVENTS = 20_000;

export function measureIndex(population: Population): IndexFigures {
  const { size } = population;
  const pods = Array.from({ length: size.pods }, (_, i) => population.pod(i));
  const namespaces = Array.from({ length: size.namespaces }, (_, i) => population.namespace(i));
  const selectors = Array.from({ length: size.selectors }, (_, i): SelectorFacts => {
    return { name: `tc${i}`, appliedTo: population.appliedTo(i), action: "Mirror", collectors: ["192.0.2.1"] };
  });
  const byName = new Map(namespaces.map((namespace) => [namespace.name, namespace]));
  const matchers = selectors.map(compileMatcher);

  let pairs = 0;
  const everything = milliseconds(() => {
    for (const pod of pods) {
      const namespace = byName.get(pod.namespace)!;
      if (!isSelectable(pod, NO_OPERATOR)) continue;
      for (const matcher of matchers) if (match(matcher, pod, namespace) === "selected") pairs += 1;
    }
  });

  const fill = (order: ("pods" | "selectors")[]): SelectionIndex => {
    const index = new SelectionIndex(NO_OPERATOR);
    for (const namespace of namespaces) index.setNamespace(namespace.name, namespace);
    for (const what of order) {
      if (what === "pods") for (const pod of pods) index.setPod(`${pod.namespace}/${pod.name}`, pod);
      else for (const selector of selectors) index.setTrafficControl(selector.name, selector);
    }
    return index;
  };
  const podsFirst = milliseconds(() => fill(["pods", "selectors"]));
  const heapBefore = heap();
  let index = new SelectionIndex(NO_OPERATOR);
  const selectorsFirst = milliseconds(() => (index = fill(["selectors", "pods"])));
  const heapAfter = heap();

  const counted = selectors.reduce((sum, { name }) => sum + index.selectionOf(name).pods, 0);
  if (counted !== pairs) throw new Error(`The index finds ${counted} pairs, naive matching ${pairs}.`);

  const podEvent = milliseconds(() => {
    for (let i = 0; i < EVENTS; i++) {
      const pod = pods[(i * 7) % pods.length]!;
      index.setPod(`${pod.namespace}/${pod.name}`, { ...pod, addresses: [`10.0.${i >> 8}.${i & 255}`] });
    }
  });
  const unmentioned = {
    podSelector: { matchExpressions: [{ key: "pod-template-hash", operator: "Exists" as const }] },
  };
  const newKey = milliseconds(() =>
    index.setTrafficControl("late", { name: "late", appliedTo: unmentioned, action: "Mirror", collectors: [] }),
  );
  return {
    pairs,
    naive: { everything, podEvent: (everything * 1000) / size.pods },
    index: { selectorsFirst, podsFirst, podEvent: (podEvent * 1000) / EVENTS, newKey },
    heap: heapAfter - heapBefore,
  };
}

function milliseconds(act: () => void): number {
  const started = performance.now();
  act();
  return performance.now() - started;
}

function heap(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}
