/**
 * Pods that no selector can tell apart, as one item: same Namespace, same values of every label that some selector mentions (Antrea's
 * label items). A thousand replicas are matched once, and labels that only Kubernetes needs (pod-template-hash, a StatefulSet's Pod
 * name) cost nothing. Owned by the selection index.
 */
import type { PodFacts } from "./facts";
import type { Labels } from "./selector";
import type { Restriction } from "./restriction";

export interface PodEntry<S> {
  key: string;
  pod: PodFacts;
  item: LabelItem<S>;
}

export interface LabelItem<S> {
  identity: string;
  namespace: string;
  /** Of one of the Pods: the others have the same, as far as anybody asks. */
  labels: Labels;
  pods: Set<PodEntry<S>>;
  /** Selectors that match. Kept by the selection index. */
  selectors: Set<S>;
}

const NO_VALUES: ReadonlyMap<string, never> = new Map<string, never>();

export class LabelItems<S> {
  private readonly items = new Map<string, LabelItem<S>>();
  private readonly byNamespace = new Map<string, Set<LabelItem<S>>>();
  /** Mentioned key → value → items that have it. */
  private readonly byLabel = new Map<string, Map<string, Set<LabelItem<S>>>>();
  private readonly mentions = new Map<string, number>();

  all(): IterableIterator<LabelItem<S>> {
    return this.items.values();
  }

  inNamespace(namespace: string): ReadonlySet<LabelItem<S>> {
    return this.byNamespace.get(namespace) ?? new Set();
  }

  /** The item of Pods like this one; made if it is the first, and then for the caller to match. */
  itemFor({ namespace, labels }: PodFacts): { item: LabelItem<S>; isNew: boolean } {
    const identity = this.identityOf(namespace, labels);
    const known = this.items.get(identity);
    if (known !== undefined) return { item: known, isNew: false };
    return { item: this.make(identity, namespace, labels), isNew: true };
  }

  /** Takes the Pod out; true if its item has gone with it. */
  leave(entry: PodEntry<S>): boolean {
    const { item } = entry;
    item.pods.delete(entry);
    if (item.pods.size > 0) return false;
    this.drop(item);
    return true;
  }

  /** The fewest items among which all are that satisfy the restrictions; all items if none of them helps. */
  fewest(restrictions: readonly Restriction[]): Iterable<LabelItem<S>> {
    let fewest: ReadonlySet<LabelItem<S>>[] | undefined;
    let least = this.items.size;
    for (const { of, key, values } of restrictions) {
      if (of === "namespace") continue;
      const byValue: ReadonlyMap<string, ReadonlySet<LabelItem<S>>> = this.byLabel.get(key) ?? NO_VALUES;
      const sets = values === undefined ? [...byValue.values()] : values.flatMap((value) => byValue.get(value) ?? []);
      const size = sets.reduce((sum, set) => sum + set.size, 0);
      if (size >= least && fewest !== undefined) continue;
      fewest = sets;
      least = size;
    }
    return fewest === undefined ? this.items.values() : fewest.flatMap((set) => [...set]);
  }

  /** From now on, or no longer, these keys tell Pods apart. To be called while no selector that mentions them is matched. */
  mention(keys: Iterable<string>, by: 1 | -1): void {
    for (const key of keys) {
      const before = this.mentions.get(key) ?? 0;
      if (before + by === 0) this.mentions.delete(key);
      else this.mentions.set(key, before + by);
      if (before === 0 || before + by === 0) this.regroup(key);
    }
  }

  /** Splits or merges the items whose Pods have the key. What matches them stays: nobody mentions the key. */
  private regroup(key: string): void {
    this.byLabel.delete(key);
    for (const item of [...this.items.values()]) {
      const { isUniform, isThere } = valuesIn(item, key);
      // The Pod that the labels were taken from may have gone, and with it a key or value that nobody has asked for before.
      const [anyone] = item.pods;
      if (!isThere) {
        if (anyone !== undefined) item.labels = anyone.pod.labels;
        continue;
      }
      this.drop(item);
      if (anyone !== undefined) item.labels = anyone.pod.labels;
      const identity = this.identityOf(item.namespace, item.labels);
      if (isUniform && !this.items.has(identity)) {
        item.identity = identity;
        this.file(item);
        continue;
      }
      for (const entry of item.pods) this.move(entry);
    }
  }

  private move(entry: PodEntry<S>): void {
    const { item, isNew } = this.itemFor(entry.pod);
    if (isNew) for (const selector of entry.item.selectors) item.selectors.add(selector);
    entry.item = item;
    item.pods.add(entry);
  }

  private make(identity: string, namespace: string, labels: Labels): LabelItem<S> {
    const item: LabelItem<S> = { identity, namespace, labels, pods: new Set(), selectors: new Set() };
    this.file(item);
    return item;
  }

  private file(item: LabelItem<S>): void {
    this.items.set(item.identity, item);
    setOf(this.byNamespace, item.namespace).add(item);
    this.eachMentioned(item.labels, (key, value) => {
      let byValue = this.byLabel.get(key);
      if (byValue === undefined) this.byLabel.set(key, (byValue = new Map<string, Set<LabelItem<S>>>()));
      setOf(byValue, value).add(item);
    });
  }

  private drop(item: LabelItem<S>): void {
    this.items.delete(item.identity);
    takeOut(this.byNamespace, item.namespace, item);
    this.eachMentioned(item.labels, (key, value) => {
      const byValue = this.byLabel.get(key);
      if (byValue !== undefined) takeOut(byValue, value, item);
    });
  }

  private eachMentioned(labels: Labels, act: (key: string, value: string) => void): void {
    for (const key of Object.keys(labels)) if (this.mentions.has(key)) act(key, labels[key]!);
  }

  /** Label keys, values and names never contain a line break. */
  private identityOf(namespace: string, labels: Labels): string {
    let identity = namespace;
    this.eachMentioned(labels, (key, value) => (identity += `\n${key}\n${value}`));
    return identity;
  }
}

/** Whether any Pod of the item has the key, and whether all have the same value of it. */
function valuesIn<S>(item: LabelItem<S>, key: string): { isThere: boolean; isUniform: boolean } {
  const valueOf = ({ pod: { labels } }: PodEntry<S>): string | undefined =>
    Object.hasOwn(labels, key) ? labels[key] : undefined;
  let first: string | undefined;
  let isFirst = true;
  for (const entry of item.pods) {
    const value = valueOf(entry);
    if (isFirst) first = value;
    else if (value !== first) return { isThere: true, isUniform: false };
    isFirst = false;
  }
  return { isThere: first !== undefined, isUniform: true };
}

function setOf<V>(map: Map<string, Set<V>>, key: string): Set<V> {
  let set = map.get(key);
  if (set === undefined) map.set(key, (set = new Set()));
  return set;
}

function takeOut<V>(map: Map<string, Set<V>>, key: string, value: V): void {
  const set = map.get(key);
  if (set?.delete(value) === true && set.size === 0) map.delete(key);
}
