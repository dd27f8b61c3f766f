/**
 * Which TrafficControls select which Pods, kept up to date event by event. A Pod event costs one match per TrafficControl, a Namespace
 * event one per Pod in it, a TrafficControl event one per Pod. What comes out is what has to be looked at again: dirty nodes, dirty
 * TrafficControls.
 */
import { compileMatcher, isSelectable, match, type Matcher } from "./match";
import type { NamespaceFacts, PodFacts, SelectorFacts } from "./facts";

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
}

export interface Dirty {
  nodes: Set<string>;
  trafficControls: Set<string>;
}

interface Entry {
  pod: PodFacts;
  selectedBy: Set<string>;
  collectorOf: Set<string>;
}

interface Counts {
  matcher: Matcher;
  nodes: Map<string, number>;
  pods: number;
  collectors: Set<string>;
}

const NONE: ReadonlySet<string> = new Set();

export class SelectionIndex {
  private readonly pods = new Map<string, Entry>();
  private readonly podsOfNamespace = new Map<string, Set<string>>();
  /** Only Pods that something selects. */
  private readonly podsOfNode = new Map<string, Set<string>>();
  private readonly namespaces = new Map<string, NamespaceFacts>();
  private readonly trafficControls = new Map<string, Counts>();
  private dirty: Dirty = { nodes: new Set(), trafficControls: new Set() };

  constructor(private readonly operatorNamespaces: ReadonlySet<string>) {}

  setPod(key: string, pod: PodFacts | undefined): void {
    const before = this.pods.get(key);
    if (pod === undefined) {
      if (before === undefined) return;
      this.rematch(key, { ...before, pod: { ...before.pod, node: "" } });
      this.pods.delete(key);
      remove(this.podsOfNamespace, before.pod.namespace, key);
      return;
    }
    const entry: Entry = {
      pod,
      selectedBy: before?.selectedBy ?? new Set(),
      collectorOf: before?.collectorOf ?? new Set(),
    };
    add(this.podsOfNamespace, pod.namespace, key);
    this.rematch(key, entry, before?.pod);
    this.pods.set(key, entry);
  }

  setNamespace(name: string, namespace: NamespaceFacts | undefined): void {
    if (namespace === undefined) this.namespaces.delete(name);
    else this.namespaces.set(name, namespace);
    for (const key of this.podsOfNamespace.get(name) ?? NONE) {
      const entry = this.pods.get(key);
      if (entry !== undefined) this.rematch(key, entry, entry.pod);
    }
  }

  /** To be called when anything in the TrafficControl's spec has changed: its nodes become dirty even if it selects the same Pods. */
  setTrafficControl(name: string, facts: SelectorFacts | undefined): void {
    const before = this.trafficControls.get(name);
    this.touch(name);
    if (facts === undefined) {
      if (before === undefined) return;
      for (const key of this.matchedPods(before, name)) this.settle(key, name, "no");
      this.trafficControls.delete(name);
      return;
    }
    if (before !== undefined && JSON.stringify(before.matcher.facts) === JSON.stringify(facts)) return;
    const matcher = compileMatcher(facts);
    if (before === undefined)
      this.trafficControls.set(name, { matcher, nodes: new Map(), pods: 0, collectors: new Set() });
    else before.matcher = matcher;
    for (const key of this.pods.keys()) this.settle(key, name, this.judge(matcher, this.pods.get(key)!.pod));
  }

  /** Makes the TrafficControl and its nodes dirty: something else about it has changed. */
  touch(name: string): void {
    for (const node of this.trafficControls.get(name)?.nodes.keys() ?? []) this.dirty.nodes.add(node);
    this.dirty.trafficControls.add(name);
  }

  selectedOn(node: string): SelectedPod[] {
    return [...(this.podsOfNode.get(node) ?? NONE)].map((key) => {
      const { pod, selectedBy } = this.pods.get(key)!;
      return { pod, trafficControls: selectedBy };
    });
  }

  selectionOf(trafficControl: string): Selection {
    const counts = this.trafficControls.get(trafficControl);
    if (counts === undefined) return { nodes: new Map(), pods: 0, collectors: [] };
    return { nodes: counts.nodes, pods: counts.pods, collectors: [...counts.collectors].sort() };
  }

  /** Nodes where something is selected. */
  nodes(): IterableIterator<string> {
    return this.podsOfNode.keys();
  }

  /** What has changed since the last call. */
  takeDirty(): Dirty {
    const dirty = this.dirty;
    this.dirty = { nodes: new Set(), trafficControls: new Set() };
    return dirty;
  }

  private judge(matcher: Matcher, pod: PodFacts): "selected" | "collector" | "no" {
    if (!isSelectable(pod, this.operatorNamespaces)) return "no";
    // Namespaces are replicated independently of Pods: until this one's labels are known, nothing in it is tapped.
    const namespace = this.namespaces.get(pod.namespace);
    return namespace === undefined ? "no" : match(matcher, pod, namespace);
  }

  /** Matches one Pod against every TrafficControl. `before` is what the counts were made from. */
  private rematch(key: string, entry: Entry, before: PodFacts = entry.pod): void {
    const known = this.pods.get(key);
    const moved = known !== undefined && known.pod.node !== entry.pod.node;
    if (moved) {
      // Counted under the old node: taken out there before it is counted anew.
      for (const name of [...known.selectedBy]) this.settle(key, name, "no");
    }
    this.pods.set(key, entry);
    const isPlanned = entry.selectedBy.size > 0;
    for (const [name, { matcher }] of this.trafficControls) this.settle(key, name, this.judge(matcher, entry.pod));
    if (isPlanned && JSON.stringify(planned(before)) !== JSON.stringify(planned(entry.pod)))
      this.dirty.nodes.add(entry.pod.node);
  }

  /** Records that the TrafficControl now matches the Pod like this. */
  private settle(key: string, name: string, outcome: "selected" | "collector" | "no"): void {
    const entry = this.pods.get(key);
    const counts = this.trafficControls.get(name);
    if (entry === undefined || counts === undefined) return;
    const { node } = entry.pod;
    if (toggle(entry.collectorOf, name, outcome === "collector")) {
      toggle(counts.collectors, key, outcome === "collector");
      this.dirty.trafficControls.add(name);
    }
    const isSelected = outcome === "selected";
    if (!toggle(entry.selectedBy, name, isSelected)) return;
    const count = (counts.nodes.get(node) ?? 0) + (isSelected ? 1 : -1);
    if (count > 0) counts.nodes.set(node, count);
    else counts.nodes.delete(node);
    counts.pods += isSelected ? 1 : -1;
    if (entry.selectedBy.size > 0) add(this.podsOfNode, node, key);
    else remove(this.podsOfNode, node, key);
    this.dirty.nodes.add(node);
    this.dirty.trafficControls.add(name);
  }

  private matchedPods(counts: Counts, name: string): string[] {
    const keys = [...counts.nodes.keys()].flatMap((node) => [...(this.podsOfNode.get(node) ?? NONE)]);
    return [...keys.filter((key) => this.pods.get(key)?.selectedBy.has(name)), ...counts.collectors];
  }
}

/** What a plan says about a Pod. */
function planned({ uid, addresses, interfaces, macs }: PodFacts): unknown {
  return { uid, addresses, interfaces, macs };
}

/** Puts the value in or takes it out; whether that changed anything. */
function toggle(set: Set<string>, value: string, wanted: boolean): boolean {
  if (set.has(value) === wanted) return false;
  if (wanted) set.add(value);
  else set.delete(value);
  return true;
}

function add(map: Map<string, Set<string>>, key: string, value: string): void {
  const set = map.get(key);
  if (set === undefined) map.set(key, new Set([value]));
  else set.add(value);
}

function remove(map: Map<string, Set<string>>, key: string, value: string): void {
  const set = map.get(key);
  if (set?.delete(value) === true && set.size === 0) map.delete(key);
}
