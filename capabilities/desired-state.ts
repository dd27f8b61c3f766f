/**
 * What the cluster should look like: the TrafficControls that are in force, the Pods they select, and from both the plan of each node.
 * Fed by the controller's informers, asked by the reconcilers; no effects. Everything is kept up to date piece by piece: what an event
 * costs does not depend on how many TrafficControls there are.
 */
import {
  ConflictIndex,
  MAXIMUM_ITEMS,
  overruled,
  planNode,
  TunnelIndex,
  type Conflict,
  type Overruled,
  type Plan,
  type Tunnels,
} from "./planning";
import {
  SelectionIndex,
  selectorFacts,
  type Dirty,
  type NamespaceFacts,
  type PodFacts,
  type Selection,
} from "./selection";
import { REASONS, type TrafficControl } from "./api";
import { hasFinalizer } from "./delivery";
import type { Refusal } from "./reporting";

interface KnownPlan {
  nodeUID: string;
  revision: number;
  plan: Plan;
}

export class DesiredState {
  private readonly index: SelectionIndex;
  private readonly trafficControls = new Map<string, TrafficControl>();
  private readonly deletingNames = new Set<string>();
  private readonly conflictIndex = new ConflictIndex();
  private readonly tunnelIndex = new TunnelIndex();
  /** As of the last resolve(). */
  private conflicts: ReadonlyMap<string, Conflict> = new Map();
  private tunnels: Tunnels = this.tunnelIndex.tunnels();
  private readonly plans = new Map<string, KnownPlan>();
  private standsDown = false;

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
    const isDeleting = trafficControl?.metadata.deletionTimestamp !== undefined;
    if (isDeleting) this.deletingNames.add(name);
    else this.deletingNames.delete(name);
    this.conflictIndex.set(name, trafficControl);
    this.tunnelIndex.set(name, trafficControl);
    this.index.setTrafficControl(name, trafficControl && !isDeleting ? selectorFacts(trafficControl) : undefined);
  }

  /** Somebody else acts on TrafficControls: no plan names any. Taken back by false. */
  standDown(standsDown: boolean): void {
    if (standsDown === this.standsDown) return;
    this.standsDown = standsDown;
    for (const name of this.trafficControls.keys()) this.index.touch(name);
    this.index.touchNodes();
  }

  get hasStoodDown(): boolean {
    return this.standsDown;
  }

  /** The plan that the node should have. The same object until it may be another one. */
  wantedPlan(node: string, nodeUID: string): Plan {
    this.resolve();
    const revision = this.index.revisionOf(node);
    const known = this.plans.get(node);
    if (known?.revision === revision && known.nodeUID === nodeUID) return known.plan;
    const inForce = new Map<ReadonlySet<string>, TrafficControl[]>();
    const pods = this.index.selectedOn(node).map(({ pod, trafficControls: names }) => {
      let trafficControls = inForce.get(names);
      if (trafficControls === undefined) inForce.set(names, (trafficControls = this.inForceAmong(names)));
      return { pod, trafficControls };
    });
    const plan = planNode(nodeUID, pods, this.tunnels.collectors);
    this.plans.set(node, { nodeUID, revision, plan });
    return plan;
  }

  /** The node has gone. */
  forgetNode(node: string): void {
    this.plans.delete(node);
  }

  selectionOf(name: string): Selection {
    return this.index.selectionOf(name);
  }

  conflictOf({ metadata }: TrafficControl): Conflict | undefined {
    this.resolve();
    return this.conflicts.get(metadata.uid ?? "");
  }

  /** Why there is no room for the TrafficControl on any node. */
  refusalOf({ metadata }: TrafficControl): Refusal | undefined {
    this.resolve();
    if (!this.tunnels.withoutRoom.has(metadata.uid ?? "")) return undefined;
    const message = `The tunnels of older TrafficControls lead to ${MAXIMUM_ITEMS} addresses, for more there is no room in a plan; send to one of those, or delete TrafficControls that are not needed.`;
    return { reason: REASONS.tooManyTunnels, message };
  }

  /** Which older Redirect acts instead of this one, and on how many of its Pods. */
  overruledBy(trafficControl: TrafficControl): Overruled | undefined {
    if (trafficControl.spec.action !== "Redirect" || !this.isInForce(trafficControl)) return undefined;
    const groups = this.index.rivalsOf(trafficControl.metadata.name ?? "");
    return overruled(
      trafficControl,
      groups.map(({ pods, redirects }) => ({ pods, redirects: this.inForceAmong(redirects) })),
    );
  }

  /** Names of the TrafficControls that select Pods of the node. */
  trafficControlsOn(node: string): Set<string> {
    const sets = new Set(this.index.selectedOn(node).map(({ trafficControls }) => trafficControls));
    return new Set([...sets].flatMap((names) => [...names]));
  }

  /** Names of those that are being deleted. */
  deleting(): ReadonlySet<string> {
    return this.deletingNames;
  }

  nodes(): Iterable<string> {
    return this.index.nodes();
  }

  takeDirty(): Dirty {
    this.resolve();
    return this.index.takeDirty();
  }

  private inForceAmong(names: Iterable<string>): TrafficControl[] {
    const inForce: TrafficControl[] = [];
    for (const name of names) {
      const trafficControl = this.trafficControls.get(name);
      if (trafficControl !== undefined && this.isInForce(trafficControl)) inForce.push(trafficControl);
    }
    return inForce;
  }

  /** Without the finalizer it could vanish with its taps in place, so no plan names it before it has one. */
  private isInForce(trafficControl: TrafficControl): boolean {
    const { uid = "" } = trafficControl.metadata;
    return (
      !this.standsDown && hasFinalizer(trafficControl) && !this.conflicts.has(uid) && !this.tunnels.withoutRoom.has(uid)
    );
  }

  /** Looks at what TrafficControls have in common once somebody asks: a list of them is one question, not as many as it has items. */
  private resolve(): void {
    const [conflicts, tunnels] = [this.conflictIndex.conflicts(), this.tunnelIndex.tunnels()];
    if (conflicts === this.conflicts && tunnels === this.tunnels) return;
    const before = { conflicts: this.conflicts, tunnels: this.tunnels };
    this.conflicts = conflicts;
    this.tunnels = tunnels;
    const concerned = new Set<string>();
    for (const uid of new Set([...before.conflicts.keys(), ...conflicts.keys()]))
      if (before.conflicts.get(uid)?.message !== conflicts.get(uid)?.message) concerned.add(uid);
    for (const uid of new Set([...before.tunnels.withoutRoom, ...tunnels.withoutRoom]))
      if (before.tunnels.withoutRoom.has(uid) !== tunnels.withoutRoom.has(uid)) concerned.add(uid);
    if (concerned.size > 0)
      for (const [name, { metadata }] of this.trafficControls)
        if (concerned.has(metadata.uid ?? "")) this.index.touch(name);
    if (JSON.stringify(before.tunnels.collectors) !== JSON.stringify(tunnels.collectors)) this.index.touchNodes();
  }
}
