/**
 * Which TrafficControls select which Pods, kept up to date event by event. Pods that no selector can tell apart are one label item,
 * TrafficControls with the same selectors one selector item; only pairs of items are matched, and only those that the labels do not
 * refute at first sight. What comes out is what has to be looked at again: dirty nodes, dirty TrafficControls.
 */
import { AddressOwners } from "./address-owners";
import { Candidates } from "./candidates";
import type { NamespaceFacts, PodFacts, SelectorFacts } from "./facts";
import { LabelItems, type LabelItem, type PodEntry } from "./label-items";
import { isSelectable, matchesLabels } from "./match";
import { makeSelectorItem, selectorIdentity, type SelectorItem } from "./selector-item";

/** A Pod of a node and the names of the TrafficControls that select it. */
export interface SelectedPod {
  pod: PodFacts;
  trafficControls: ReadonlySet<string>;
}

/** What one TrafficControl selects. */
export interface Selection {
  /** Number of selected Pods per node. */
  nodes: ReadonlyMap<string, number>;
  pods: number;
  /** Pods (`namespace/name`) that it would select, did they not own its remoteIP. */
  collectors: readonly string[];
  /** Number of Pods that it would select, had their Namespaces not opted out. */
  optedOut: number;
}

export interface Dirty {
  nodes: Set<string>;
  trafficControls: Set<string>;
}

type Entry = PodEntry<SelectorItem>;
type Item = LabelItem<SelectorItem>;

interface Subscriber {
  facts: SelectorFacts;
  selector: SelectorItem;
}

const NONE: ReadonlySet<never> = new Set<never>();

export class SelectionIndex {
  /** Pods that may be selected at all. */
  private readonly pods = new Map<string, Entry>();
  private readonly podsOfNode = new Map<string, Set<Entry>>();
  private readonly items = new LabelItems<SelectorItem>();
  private readonly namespaces = new Map<string, NamespaceFacts>();
  private readonly trafficControls = new Map<string, Subscriber>();
  private readonly selectors = new Map<string, SelectorItem>();
  private readonly candidates = new Candidates<SelectorItem>();
  private readonly owners = new AddressOwners<Entry>();
  /** Names of the TrafficControls that send packets to an address. */
  private readonly sendersTo = new Map<string, Set<string>>();
  private dirty: Dirty = { nodes: new Set(), trafficControls: new Set() };
  /** Grows whenever a node becomes dirty. */
  private revision = 0;
  private readonly revisions = new Map<string, number>();

  constructor(private readonly operatorNamespaces: ReadonlySet<string>) {}

  setPod(key: string, pod: PodFacts | undefined): void {
    const before = this.pods.get(key);
    const after = pod !== undefined && isSelectable(pod, this.operatorNamespaces) ? this.enter(key, pod) : undefined;
    if (before !== undefined) this.leave(before, after !== undefined);
    const hasStayed = before?.pod.node === after?.pod.node;
    const isPlanned = after !== undefined && after.item.selectors.size > 0 && !this.optsOut(after.pod.namespace);
    if (before?.item !== after?.item || !hasStayed) this.recount(before, after, hasStayed);
    if (before === undefined || after === undefined || !hasStayed) return;
    if (isPlanned && JSON.stringify(planned(before.pod)) !== JSON.stringify(planned(after.pod)))
      this.soil(after.pod.node);
    for (const address of new Set([...before.pod.addresses, ...after.pod.addresses]))
      for (const name of this.sendersTo.get(address) ?? NONE)
        if (after.item.selectors.has(this.trafficControls.get(name)!.selector)) {
          this.dirty.trafficControls.add(name);
          this.markRivals(after.item);
        }
  }

  setNamespace(name: string, namespace: NamespaceFacts | undefined): void {
    // Pods are counted as what they are in their Namespace: before that changes, none is counted.
    if (this.optsOut(name) !== (namespace?.optsOut ?? false))
      for (const item of this.items.inNamespace(name))
        for (const selector of [...item.selectors]) this.unlink(item, selector);
    if (namespace === undefined) this.namespaces.delete(name);
    else this.namespaces.set(name, namespace);
    for (const item of this.items.inNamespace(name)) this.rematch(item);
  }

  /** To be called when anything in the TrafficControl's spec has changed: its nodes become dirty even if it selects the same Pods. */
  setTrafficControl(name: string, facts: SelectorFacts | undefined): void {
    this.touch(name);
    const before = this.trafficControls.get(name);
    const selector = facts && this.selectorFor(facts);
    for (const address of before?.facts.collectors ?? []) {
      const senders = this.sendersTo.get(address);
      if (senders?.delete(name) === true && senders.size === 0) this.sendersTo.delete(address);
    }
    if (facts === undefined || selector === undefined) this.trafficControls.delete(name);
    else {
      for (const address of facts.collectors) setOf(this.sendersTo, address).add(name);
      selector.trafficControls.add(name);
      this.trafficControls.set(name, { facts, selector });
    }
    if (before !== undefined && before.selector !== selector) {
      before.selector.trafficControls.delete(name);
      if (before.selector.trafficControls.size === 0) this.retire(before.selector);
    }
    this.touch(name);
  }

  /** Makes the TrafficControl and its nodes dirty: something else about it has changed. */
  touch(name: string): void {
    this.dirty.trafficControls.add(name);
    const selector = this.trafficControls.get(name)?.selector;
    if (selector === undefined) return;
    for (const node of selector.nodes.keys()) this.soil(node);
    if (isRedirect(selector)) for (const item of this.itemsOf(selector)) this.markRivals(item);
  }

  /** Makes every node dirty where something is selected: what all plans say has changed. */
  touchNodes(): void {
    for (const node of this.nodes()) this.soil(node);
  }

  /** Another number whenever what is selected on the node, or what is known about it, may have become something else. */
  revisionOf(node: string): number {
    return this.revisions.get(node) ?? 0;
  }

  /** The Pods that a Redirect shares with others, as groups of Pods that the same Redirects select. */
  rivalsOf(redirect: string): { pods: number; redirects: string[] }[] {
    const selector = this.trafficControls.get(redirect)?.selector;
    if (selector === undefined) return [];
    return [...this.itemsOf(selector)]
      .flatMap((item) => this.rivalsIn(item))
      .filter(({ redirects }) => redirects.length > 1 && redirects.includes(redirect));
  }

  selectedOn(node: string): SelectedPod[] {
    // Pods of one item are selected by the same, unless they own addresses that something is sent to.
    const namesOf = new Map<Item, ReadonlySet<string>>();
    const selected: SelectedPod[] = [];
    for (const { pod, item } of this.podsOfNode.get(node) ?? NONE) {
      if (item.selectors.size === 0) continue;
      let names = namesOf.get(item);
      if (names === undefined) {
        names = this.optsOut(item.namespace)
          ? NONE
          : new Set([...item.selectors].flatMap((selector) => [...selector.trafficControls]));
        namesOf.set(item, names);
      }
      const trafficControls = this.withoutSenders(names, pod);
      if (trafficControls.size > 0) selected.push({ pod, trafficControls });
    }
    return selected;
  }

  selectionOf(trafficControl: string): Selection {
    const subscriber = this.trafficControls.get(trafficControl);
    if (subscriber === undefined) return { nodes: new Map(), pods: 0, collectors: [], optedOut: 0 };
    const { facts, selector } = subscriber;
    const { optedOut } = selector;
    const owners = new Set(facts.collectors.flatMap((address) => this.owners.of(address)));
    const collectors = [...owners].filter(({ item }) => item.selectors.has(selector) && !this.optsOut(item.namespace));
    if (collectors.length === 0) return { nodes: selector.nodes, pods: selector.pods, collectors: [], optedOut };
    const nodes = new Map(selector.nodes);
    for (const { pod } of collectors) step(nodes, pod.node, -1);
    const keys = collectors.map(({ key }) => key).sort();
    return { nodes, pods: selector.pods - collectors.length, collectors: keys, optedOut };
  }

  /** Nodes where something is selected. */
  nodes(): string[] {
    const nodes: string[] = [];
    for (const [node, entries] of this.podsOfNode)
      for (const { item } of entries)
        if (item.selectors.size > 0 && !this.optsOut(item.namespace)) {
          nodes.push(node);
          break;
        }
    return nodes;
  }

  /** What has changed since the last call. */
  takeDirty(): Dirty {
    const dirty = this.dirty;
    this.dirty = { nodes: new Set(), trafficControls: new Set() };
    return dirty;
  }

  /** Files the Pod; its former entry, if there is one, has not left yet. */
  private enter(key: string, pod: PodFacts): Entry {
    const { item, isNew } = this.items.itemFor(pod);
    if (isNew) for (const selector of this.matching(item)) item.selectors.add(selector);
    const entry: Entry = { key, pod, item };
    item.pods.add(entry);
    this.pods.set(key, entry);
    setOf(this.podsOfNode, pod.node).add(entry);
    for (const address of pod.addresses) this.owners.add(address, entry);
    return entry;
  }

  private leave(entry: Entry, isReplaced: boolean): void {
    const { key, pod } = entry;
    this.items.leave(entry);
    if (!isReplaced) this.pods.delete(key);
    const neighbours = this.podsOfNode.get(pod.node);
    if (neighbours?.delete(entry) === true && neighbours.size === 0) this.podsOfNode.delete(pod.node);
    for (const address of pod.addresses) this.owners.remove(address, entry);
  }

  private selectorFor(facts: SelectorFacts): SelectorItem {
    const known = this.selectors.get(selectorIdentity(facts));
    if (known !== undefined) return known;
    const selector = makeSelectorItem(facts);
    this.selectors.set(selector.identity, selector);
    this.items.mention(selector.podKeys, 1);
    this.candidates.add(selector, selector.restrictions);
    for (const item of this.items.fewest(selector.restrictions)) {
      const namespace = this.namespaces.get(item.namespace);
      if (namespace !== undefined && matchesLabels(selector.matcher, item.labels, namespace))
        this.join(item, selector, 1);
    }
    // It has selected nothing before: so its nodes are those that are concerned, each once and not for each of its Pods.
    for (const node of selector.nodes.keys()) this.soil(node);
    this.mark(selector);
    return selector;
  }

  private retire(selector: SelectorItem): void {
    for (const item of this.items.fewest(selector.restrictions)) item.selectors.delete(selector);
    this.candidates.remove(selector);
    this.selectors.delete(selector.identity);
    this.items.mention(selector.podKeys, -1);
  }

  private rematch(item: Item): void {
    const matching = new Set(this.matching(item));
    for (const selector of [...item.selectors]) if (!matching.has(selector)) this.unlink(item, selector);
    for (const selector of matching) if (!item.selectors.has(selector)) this.link(item, selector);
  }

  private matching(item: Item): SelectorItem[] {
    // Namespaces are replicated independently of Pods: until this one's labels are known, nothing in it is tapped.
    const namespace = this.namespaces.get(item.namespace);
    const matching: SelectorItem[] = [];
    if (namespace === undefined) return matching;
    this.candidates.each(item.labels, namespace.labels, (selector) => {
      if (matchesLabels(selector.matcher, item.labels, namespace)) matching.push(selector);
    });
    return matching;
  }

  private link(item: Item, selector: SelectorItem): void {
    this.join(item, selector, 1);
    if (!this.optsOut(item.namespace)) for (const { pod } of item.pods) this.soil(pod.node);
    this.mark(selector);
  }

  private unlink(item: Item, selector: SelectorItem): void {
    this.join(item, selector, -1);
    if (!this.optsOut(item.namespace)) for (const { pod } of item.pods) this.soil(pod.node);
    this.mark(selector);
  }

  /** From now on, or no longer, the selector has the item's Pods. Says to nobody that it is so. */
  private join(item: Item, selector: SelectorItem, by: 1 | -1): void {
    if (by === 1) item.selectors.add(selector);
    else item.selectors.delete(selector);
    if (isRedirect(selector)) this.markRivals(item);
    const { size } = item.pods;
    if (this.optsOut(item.namespace)) {
      selector.optedOut += by * size;
      return;
    }
    selector.pods += by * size;
    for (const { pod } of item.pods) step(selector.nodes, pod.node, by);
  }

  /** After a Pod has come, gone or changed its item or node. */
  private recount(before: Entry | undefined, after: Entry | undefined, hasStayed: boolean): void {
    const [old, young]: ReadonlySet<SelectorItem>[] = [before?.item.selectors ?? NONE, after?.item.selectors ?? NONE];
    const change = (selector: SelectorItem, pod: PodFacts, by: 1 | -1): void => {
      this.count(selector, pod, by);
      this.mark(selector);
    };
    for (const selector of old!) if (!hasStayed || !young!.has(selector)) change(selector, before!.pod, -1);
    for (const selector of young!) if (!hasStayed || !old!.has(selector)) change(selector, after!.pod, 1);
    for (const item of [before?.item, after?.item]) if (item !== undefined) this.markRivals(item);
  }

  private count(selector: SelectorItem, { namespace, node }: PodFacts, by: 1 | -1): void {
    if (this.optsOut(namespace)) {
      selector.optedOut += by;
      return;
    }
    selector.pods += by;
    step(selector.nodes, node, by);
    this.soil(node);
  }

  private soil(node: string): void {
    this.dirty.nodes.add(node);
    this.revisions.set(node, ++this.revision);
  }

  private *itemsOf(selector: SelectorItem): IterableIterator<Item> {
    for (const item of this.items.fewest(selector.restrictions)) if (item.selectors.has(selector)) yield item;
  }

  /** What Redirects say about each other changes with any of them. */
  private markRivals(item: Item): void {
    for (const selector of item.selectors) if (isRedirect(selector)) this.mark(selector);
  }

  private rivalsIn(item: Item): { pods: number; redirects: string[] }[] {
    if (this.optsOut(item.namespace)) return [];
    const names = [...item.selectors].flatMap((selector) =>
      isRedirect(selector) ? [...selector.trafficControls] : [],
    );
    // Pods of the item to which one of them sends its packets are no Pods of that one.
    const receivers = new Set(
      names.flatMap((name) =>
        this.trafficControls.get(name)!.facts.collectors.flatMap((address) => [...this.owners.of(address)]),
      ),
    );
    const special = [...receivers].filter((entry) => entry.item === item);
    const groups = special.map(({ pod }) => ({ pods: 1, redirects: [...this.withoutSenders(new Set(names), pod)] }));
    return [{ pods: item.pods.size - special.length, redirects: names }, ...groups];
  }

  private optsOut(namespace: string): boolean {
    return this.namespaces.get(namespace)?.optsOut ?? false;
  }

  private mark(selector: SelectorItem): void {
    for (const name of selector.trafficControls) this.dirty.trafficControls.add(name);
  }

  /** The names without the TrafficControls whose packets the Pod receives. */
  private withoutSenders(names: ReadonlySet<string>, { addresses }: PodFacts): ReadonlySet<string> {
    const senders = addresses.flatMap((address) => [...(this.sendersTo.get(address) ?? NONE)]);
    if (!senders.some((name) => names.has(name))) return names;
    return new Set([...names].filter((name) => !senders.includes(name)));
  }
}

function isRedirect({ matcher }: SelectorItem): boolean {
  return matcher.facts.action === "Redirect";
}

/** What a plan says about a Pod. */
function planned({ uid, addresses, interfaces, macs }: PodFacts): unknown {
  return { uid, addresses, interfaces, macs };
}

function step(counts: Map<string, number>, key: string, by: 1 | -1): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}

function setOf<V>(map: Map<string, Set<V>>, key: string): Set<V> {
  let set = map.get(key);
  if (set === undefined) map.set(key, (set = new Set()));
  return set;
}
