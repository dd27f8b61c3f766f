/**
 * Plan + Open vSwitch as they are now → ports, flows, result; again and again, whatever has changed. One pass reads
 * everything, decides purely (pods/, ports/, resolve, compile) and acts in an order in which no packet is lost: new ports
 * first, then the flows of each bridge in one bundle, then old ports go. Owned by the programmer.
 */
import { REASONS } from "@ovs-traffic-control/api";
import type { PlanSpec } from "@ovs-traffic-control/api";
import type { FlowEntry } from "ovs-ofctl-wrapper";
import type { Mirrors } from "../mirrors";
import type { OvsView } from "../ovs";
import { assignSlots, engagedRedirects, slotsInForce } from "../pipeline";
import type { BridgeInput, Slots } from "../pipeline";
import { attachmentOf, findPods } from "../pods";
import type { FoundPod, PodMacs, PodNamespaces, Problem } from "../pods";
import { desiredPorts, portsOf, unwantedPorts } from "../ports";
import type { PortOutcome, Ports } from "../ports";
import type { BridgeOutcome, Bridges } from "./bridges";
import { cautionsOf } from "./cautions";
import { Drain } from "./drain";
import type { Drained } from "./drain";
import { inspectedTargets, portsOfRedirects } from "./redirects";
import { bridgesOfRules, longestPackets, resolve } from "./resolve";
import type { RuleOutcome } from "./resolve";
import { makePorts } from "./targets";

export interface ReconcilerWorld {
  bridges: Bridges;
  ports: Ports;
  mirrors: Mirrors;
  namespaces: PodNamespaces;
  macs: PodMacs;
  view: () => OvsView;
}

/** What one pass found and did. */
export interface Outcome {
  plan: PlanSpec;
  bridges: readonly BridgeOutcome[];
  ports: readonly PortOutcome[];
  rules: readonly RuleOutcome[];
  realizedPods: number;
  /** What Open vSwitch refused; the pass has to be repeated. Empty: the plan is in force as far as it can be. */
  failures: readonly string[];
  /** What there is around the taps that has not been tried. */
  cautions: readonly string[];
  /** Something may become possible without any event telling so: a device may appear, a neighbour answer. */
  waiting: boolean;
  /** Milliseconds until return sides of former redirects go, which has to be a pass of its own; null if there are none. */
  draining: number | null;
  /** Some of them are of TrafficControls that have left the plan: its removal is not complete. */
  isRetiring: boolean;
  /** Flows and ports changed; for the log. */
  changes: number;
  /** Bridges whose flows, and ports of ours that, somebody else had changed or removed: put right by this pass. */
  repairs: number;
}

export class Reconciler {
  private slots: Slots = new Map();
  private lastPorts: readonly PortOutcome[] = [];
  /** UIDs of redirects that have been in force. */
  private engaged: ReadonlySet<string> = new Set();
  private readonly drain = new Drain();

  constructor(private readonly world: ReconcilerWorld) {}

  /** Looks at all flows again, and after what Open vSwitch forgets by itself. */
  async audit(plan: PlanSpec): Promise<void> {
    await this.world.bridges.audit();
    const pods = findPods(plan.pods, this.world.view(), this.world.namespaces.age);
    await Promise.all([this.world.ports.lookAfter(this.lastPorts), this.world.macs.verify(pods)]);
  }

  /** ovs-vswitchd has been away: what was on its way then is lost. */
  restarted(): void {
    this.drain.forget();
  }

  async pass(plan: PlanSpec): Promise<Outcome> {
    const { bridges, namespaces, mirrors } = this.world;
    const changesBefore = this.world.ports.changes;
    bridges.forgetGone();
    const before = this.world.view();
    const pods = findPods(plan.pods, before, namespaces.age);
    const reading = this.world.macs.read(pods);
    const met = await bridges.meet([...this.concerned(plan, pods), ...mirrors.bridges()]);
    const removed = this.removedPorts();
    const specs = plan.rules.map(portsOf);
    const desired = desiredPorts(specs);
    const impossible = new Map<number, Problem>(
      [...desired.clashes].map(([index, message]) => [index, { reason: REASONS.targetPortFailed, message }]),
    );

    this.world.ports.carry(longestPackets(plan, pods, specs));
    const homes = bridges.homes();
    const hasFlows = (name: string): boolean => bridges.hasFlows(name);
    const inspecting = portsOfRedirects(plan);
    const ports = await makePorts(
      this.world.ports,
      desired.specs.values(),
      specs,
      bridgesOfRules(plan, pods),
      (port) => (inspecting.has(port) ? homes.filter(hasFlows) : homes),
      hasFlows,
    );
    // A target's bridge needs flows for what arrives by patch ports, even if it has no Pods of its own.
    const metToo = await bridges.meet([...ports.values()].flatMap(({ bridge, ofport }) => (ofport ? [bridge] : [])));
    this.assignSlots(plan, impossible, [...met.ours, ...metToo.ours]);

    const macs = await reading;
    const view = this.world.view();
    const { inputs, rules, realizedPods } = resolve({
      plan,
      view,
      // Ports were made meanwhile, and Pods may have come or gone.
      pods: view === before ? pods : findPods(plan.pods, view, namespaces.age),
      kinds: bridges.kinds(),
      ports,
      impossible,
      slots: this.slots,
      ignored: new Set(view.bridges.flatMap((bridge) => [...mirrors.ignored(bridge)])),
      engaged: this.engaged,
      macs,
    });
    const drained = this.drained(plan, inputs, ports);
    const programmed = await bridges.program(drained.inputs);
    const failures = [...met.failures, ...metToo.failures, ...programmed.failures];
    if (failures.length === 0) this.drain.begin(performance.now());
    const draining = this.drain.wait(performance.now());

    const wanted = new Set([...desired.specs.keys(), ...ports.keys(), ...drained.ports]);
    const unwanted = failures.length > 0 ? [] : unwantedPorts(view, wanted);
    const refused = await Promise.all(unwanted.map((port) => this.world.ports.remove(port)));
    failures.push(...refused.flatMap((problem) => problem ?? []));

    if (failures.length === 0 && plan.rules.length === 0 && draining === null) bridges.close();
    namespaces.keepOnly(new Set([...view.ports.values()].map(({ uuid }) => uuid)));
    this.lastPorts = [...ports.values()];
    return {
      plan,
      bridges: programmed.outcomes,
      ports: this.lastPorts,
      rules,
      realizedPods,
      failures,
      cautions: cautionsOf(
        view,
        view.bridges.filter(({ name }) => drained.inputs.has(name)),
        plan.pods,
      ),
      waiting: this.lastPorts.some(({ problem, remark }) => problem !== undefined || remark !== undefined),
      draining,
      isRetiring: drained.isRetiring,
      changes: programmed.changes + this.world.ports.changes - changesBefore,
      repairs: programmed.repairs + this.lastPorts.filter(({ spec }) => removed.has(spec.name)).length,
    };
  }

  /** Ports that the last pass has left in place and that are not there any more, by name. */
  private removedPorts(): Set<string> {
    const { ports } = this.world.view();
    const made = this.lastPorts.filter(({ ofport, problem }) => ofport !== undefined && problem === undefined);
    return new Set(made.map(({ spec }) => spec.name).filter((name) => !ports.has(name)));
  }

  /** Bridges with selected Pods; if there are none yet, the one where other Pods are, so that targets are there before them. */
  private concerned(plan: PlanSpec, pods: readonly FoundPod[]): Set<string> {
    const names = new Set(pods.flatMap(({ ports }) => ports.map(({ port }) => port.bridge)));
    if (names.size > 0 || plan.rules.length === 0) return names;
    const home = this.world.view().bridges.find((bridge) => bridge.ports.some((port) => attachmentOf(port) !== null));
    return new Set(home ? [home.name] : []);
  }

  /** The inputs with what former redirects still need; remembers which redirects act now. */
  private drained(
    plan: PlanSpec,
    inputs: ReadonlyMap<string, BridgeInput>,
    ports: ReadonlyMap<string, PortOutcome>,
  ): Drained {
    for (const { redirection } of inputs.values())
      this.engaged = new Set([...this.engaged, ...(redirection?.redirects ?? []).map(({ uid }) => uid)]);
    const redirects = plan.rules.filter(({ action }) => action === "Redirect");
    const names = portsOfRedirects(plan);
    // A patch pair towards one of their targets.
    const exits = inspectedTargets(plan);
    for (const { spec } of ports.values())
      if (spec.kind === "patch" && exits.has(spec.serves ?? "")) names.add(spec.name);
    const uids = new Set(redirects.map(({ uid }) => uid));
    return this.drain.add({ inputs, ports: names, uids }, plan.hash, performance.now());
  }

  private assignSlots(plan: PlanSpec, impossible: ReadonlyMap<number, Problem>, inForce: readonly FlowEntry[]): void {
    const all = plan.rules.map(({ uid }) => uid);
    const engaged = engagedRedirects(inForce, all);
    this.engaged = new Set(all.filter((uid) => engaged.has(uid) || this.engaged.has(uid)));
    const uids = all.filter((_, index) => !impossible.has(index));
    this.slots = assignSlots(new Map([...slotsInForce(inForce, uids), ...this.slots]), uids);
  }
}
