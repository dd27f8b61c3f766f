/**
 * What the cluster should look like: the TrafficControls that are in force, the Pods they select, and from both the plan of each node.
 * Fed by the controller's informers, asked by the reconcilers; no effects.
 */
import { isDeepStrictEqual } from "node:util";
import {
  collectorsOf,
  conflictsAmong,
  overruled,
  planNode,
  type Collector,
  type Conflict,
  type Overruled,
} from "./planning";
import {
  SelectionIndex,
  selectorFacts,
  type Dirty,
  type NamespaceFacts,
  type PodFacts,
  type Selection,
} from "./selection";
import type { PlanSpec, TrafficControl } from "./api";
import { hasFinalizer } from "./delivery";

export class DesiredState {
  private readonly index: SelectionIndex;
  private readonly trafficControls = new Map<string, TrafficControl>();
  private conflicts = new Map<string, Conflict>();
  /** Resolved when somebody asks: a list of TrafficControls is one question, not as many as it has items. */
  private conflictsAreStale = false;
  /** Of all TrafficControls, those that are being deleted included: their packets may still be on their way. */
  private collectors: Collector[] = [];

  constructor(operatorNamespaces: ReadonlySet<string>) {
    this.index = new SelectionIndex(operatorNamespaces);
  }

  setPod(key: string, pod: PodFacts | undefined): void {
    this.index.setPod(key, pod);
  }

  setNamespace(name: string, namespace: NamespaceFacts | undefined): void {
    this.index.setNamespace(name, namespace);
  }

  /** One that is being deleted selects nothing any more. */
  setTrafficControl(name: string, trafficControl: TrafficControl | undefined): void {
    if (trafficControl === undefined) this.trafficControls.delete(name);
    else this.trafficControls.set(name, trafficControl);
    const isWanted = trafficControl !== undefined && trafficControl.metadata.deletionTimestamp === undefined;
    this.index.setTrafficControl(name, isWanted ? selectorFacts(trafficControl) : undefined);
    this.conflictsAreStale = true;
  }

  /** The plan that the node should have. */
  wantedPlan(node: string, nodeUID: string): PlanSpec {
    const pods = this.index.selectedOn(node).map(({ pod, trafficControls }) => ({
      pod,
      trafficControls: [...trafficControls]
        .map((name) => this.trafficControls.get(name)!)
        .filter((trafficControl) => this.isInForce(trafficControl)),
    }));
    this.resolveConflicts();
    return planNode(nodeUID, pods, this.collectors);
  }

  selectionOf(name: string): Selection {
    return this.index.selectionOf(name);
  }

  conflictOf({ metadata }: TrafficControl): Conflict | undefined {
    this.resolveConflicts();
    return this.conflicts.get(metadata.uid ?? "");
  }

  /** Which older Redirect acts instead of this one, and on how many of its Pods. */
  overruledBy(trafficControl: TrafficControl): Overruled | undefined {
    const isRedirect = ({ spec }: TrafficControl): boolean => spec.action === "Redirect";
    if (!isRedirect(trafficControl) || !this.isInForce(trafficControl)) return undefined;
    const redirects = new Map([...this.trafficControls].filter(([, each]) => isRedirect(each) && this.isInForce(each)));
    if (redirects.size < 2) return undefined;
    const { name = "" } = trafficControl.metadata;
    const onPods = [...this.index.selectionOf(name).nodes.keys()].flatMap((node) =>
      this.index
        .selectedOn(node)
        .filter(({ trafficControls }) => trafficControls.has(name))
        .map(({ trafficControls }) => [...trafficControls].flatMap((each) => redirects.get(each) ?? [])),
    );
    return overruled(trafficControl, onPods);
  }

  /** Names of the TrafficControls that select Pods of the node. */
  trafficControlsOn(node: string): Set<string> {
    return new Set(this.index.selectedOn(node).flatMap(({ trafficControls }) => [...trafficControls]));
  }

  /** Names of those that are being deleted. */
  deleting(): string[] {
    const isDeleting = ([, { metadata }]: [string, TrafficControl]): boolean =>
      metadata.deletionTimestamp !== undefined;
    return [...this.trafficControls].filter(isDeleting).map(([name]) => name);
  }

  nodes(): Iterable<string> {
    return this.index.nodes();
  }

  takeDirty(): Dirty {
    this.resolveConflicts();
    return this.index.takeDirty();
  }

  /** Without the finalizer it could vanish with its taps in place, so no plan names it before it has one. */
  private isInForce(trafficControl: TrafficControl): boolean {
    return hasFinalizer(trafficControl) && this.conflictOf(trafficControl) === undefined;
  }

  private resolveConflicts(): void {
    if (!this.conflictsAreStale) return;
    this.conflictsAreStale = false;
    const before = this.conflicts;
    this.conflicts = conflictsAmong(this.trafficControls.values());
    for (const { metadata } of this.trafficControls.values()) {
      const { name = "", uid = "" } = metadata;
      if (before.get(uid)?.message !== this.conflicts.get(uid)?.message) this.index.touch(name);
    }
    const collectors = collectorsOf(this.trafficControls.values());
    if (isDeepStrictEqual(collectors, this.collectors)) return;
    this.collectors = collectors;
    this.index.touchNodes();
  }
}
