/**
 * Plan + Open vSwitch as they are now → ports, flows, result; again and again, whatever has changed. One pass reads
 * everything, decides purely (pods/, ports/, resolve, compile) and acts in an order in which no packet is lost: new ports
 * first, then the flows of each bridge in one bundle, then old ports go. Owned by the programmer.
 */
import { REASONS } from "@ovs-traffic-control/api";
import type { PlanSpec } from "@ovs-traffic-control/api";
import type { Appctl, FlowEntry, OpenFlow } from "ovs-ofctl-wrapper";
import { bridgeOf, kindOfBridge } from "../ovs";
import type { BridgeKind, OvsView } from "../ovs";
import { OWN_COOKIE, OWN_COOKIE_MASK, assignSlots, compile, isOurs, slotsInForce } from "../pipeline";
import type { Slots } from "../pipeline";
import { attachmentOf, findPods } from "../pods";
import type { FoundPod, PodNamespaces, Problem } from "../pods";
import { desiredPorts, patchEnds, portSpec, unwantedPorts } from "../ports";
import type { PortOutcome, Ports, PortSpec } from "../ports";
import { BridgeFlows } from "./bridge-flows";
import { demand, resolve, whyImpossible } from "./resolve";
import type { RuleOutcome } from "./resolve";

export interface ReconcilerWorld {
  openflow: OpenFlow;
  appctl: Appctl;
  ports: Ports;
  namespaces: PodNamespaces;
  view: () => OvsView;
  /** Something happened that a new pass has to look at; `audit`: also at the flows themselves. */
  wake: (why: string, audit: boolean) => void;
}

export interface BridgeOutcome {
  name: string;
  kind: BridgeKind["kind"];
  datapath: string;
  flows: number;
  message?: string;
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
  /** Something may become possible without any event telling so: a device may appear, a neighbour answer. */
  waiting: boolean;
  /** Flows and ports changed; for the log. */
  changes: number;
}

export class Reconciler {
  private readonly bridges = new Map<string, { flows: BridgeFlows; kind: BridgeKind | null }>();
  private slots: Slots = new Map();
  private started = false;
  private lastPorts: readonly PortOutcome[] = [];

  constructor(private readonly world: ReconcilerWorld) {}

  close(): void {
    for (const { flows } of this.bridges.values()) flows.close();
  }

  /**
   * Looks at the flows of every bridge concerned, so that the next pass repairs what others have done; and after what
   * Open vSwitch forgets by itself. Answers with all flows of ours, for their counters.
   */
  async audit(): Promise<FlowEntry[]> {
    const view = this.world.view();
    const dumps = await Promise.all([...this.bridges.keys()].map((name) => this.look(view, name)));
    await this.world.ports.lookAfter(this.lastPorts);
    return dumps.flatMap((dump) => (dump ?? []).filter((flow) => isOurs(flow.cookie)));
  }

  async pass(plan: PlanSpec): Promise<Outcome> {
    const { world } = this;
    const pods = findPods(plan.pods, world.view(), world.namespaces.age);
    const reading = this.readMacs(pods);
    const failures = await this.lookAtNewBridges(plan, pods);
    const impossible = new Map<number, Problem>();
    plan.rules.forEach((rule, index) => {
      const why = whyImpossible(rule);
      if (why) impossible.set(index, why);
    });
    const specs = plan.rules.map((rule, index) => (impossible.has(index) ? null : portSpec(rule.targetPort)));
    const desired = desiredPorts(specs);
    for (const [index, message] of desired.clashes)
      impossible.set(index, { reason: REASONS.targetPortFailed, message });

    const ports = await this.makePorts(desired.specs, demand(plan, pods, specs));
    const macs = await reading;
    const uids = plan.rules.flatMap(({ uid }, index) => (impossible.has(index) ? [] : [uid]));
    this.slots = assignSlots(this.slots, uids);
    const view = world.view();
    const kinds = new Map([...this.bridges].flatMap(([name, { kind }]) => (kind ? [[name, kind] as const] : [])));
    const { inputs, rules, realizedPods } = resolve({
      plan,
      view,
      // Ports were made meanwhile, and Pods may have come or gone.
      pods: findPods(plan.pods, view, world.namespaces.age),
      kinds,
      ports,
      impossible,
      slots: this.slots,
      macs,
    });

    const bridges = await Promise.all(
      [...this.bridges].map(
        async ([name, { flows, kind }]): Promise<BridgeOutcome & { changed: number; failure?: string }> => {
          const input = inputs.get(name);
          const wanted = input ? compile(input) : [];
          const datapath = bridgeOf(view, name)?.datapath ?? "";
          const done = await flows.apply(wanted);
          const what = { name, kind: kind?.kind ?? ("Unknown" as const), datapath };
          if (!done.ok)
            return { ...what, flows: 0, changed: 0, message: done.error.message, failure: done.error.message };
          if (done.value > 0) await flows.settle();
          const message = kind?.message;
          return { ...what, flows: wanted.length, changed: done.value, ...(message === undefined ? {} : { message }) };
        },
      ),
    );
    for (const { name, failure } of bridges) if (failure !== undefined) failures.push(`Bridge ${name}: ${failure}`);
    const removed =
      failures.length > 0
        ? 0
        : await this.removePorts(view, new Set([...desired.specs.keys(), ...ports.keys()]), failures);
    this.forget(view, plan, inputs);
    this.lastPorts = [...ports.values()];
    return {
      plan,
      bridges: bridges.map(({ changed: _changed, failure: _failure, ...outcome }) => outcome),
      ports: this.lastPorts,
      rules,
      realizedPods,
      failures,
      waiting: this.lastPorts.some(({ problem, remark }) => problem !== undefined || remark !== undefined),
      changes: removed + bridges.reduce((sum, { changed }) => sum + changed, 0),
    };
  }

  /** Bridges with selected Pods are watched from now on; the first time also those with flows of a former run. */
  private async lookAtNewBridges(plan: PlanSpec, pods: readonly FoundPod[]): Promise<string[]> {
    const view = this.world.view();
    const concerned = new Set(pods.flatMap(({ ports }) => ports.map(({ port }) => port.bridge)));
    // Where Pods without a port yet will probably come, so that targets are there before them.
    if (plan.rules.length > 0 && concerned.size === 0) {
      const home = view.bridges.find((bridge) => bridge.ports.some((port) => attachmentOf(port) !== null));
      if (home) concerned.add(home.name);
    }
    if (!this.started)
      await Promise.all(
        view.bridges.map(async ({ name }) => {
          if (concerned.has(name)) return;
          const filter = { cookie: OWN_COOKIE, cookieMask: OWN_COOKIE_MASK };
          const own = await this.world.openflow.dumpFlows(name, filter);
          if (own.ok && own.value.length > 0) concerned.add(name);
        }),
      );
    const failures: string[] = [];
    await Promise.all(
      [...concerned].map(async (name) => {
        if (this.bridges.get(name)?.kind) return;
        if (!this.bridges.has(name)) this.bridges.set(name, { flows: this.watch(name), kind: null });
        const dump = await this.look(view, name);
        if (!dump) failures.push(`Bridge ${name}: its flows cannot be read; is ovs-vswitchd running?`);
        else if (!this.started)
          this.slots = new Map([
            ...slotsInForce(
              dump,
              plan.rules.map(({ uid }) => uid),
            ),
            ...this.slots,
          ]);
      }),
    );
    this.started = failures.length === 0;
    return failures;
  }

  private watch(name: string): BridgeFlows {
    return new BridgeFlows(name, this.world.openflow, this.world.appctl, {
      restored: () => {
        this.world.wake(`the OpenFlow connection of bridge ${name} is back`, false);
      },
      disturbed: () => {
        this.world.wake(`somebody has changed our flows on bridge ${name}`, true);
      },
    });
  }

  private async look(view: OvsView, name: string): Promise<FlowEntry[] | null> {
    const known = this.bridges.get(name);
    const bridge = bridgeOf(view, name);
    if (!known || !bridge) return null;
    const dump = await known.flows.look();
    if (!dump.ok) return null;
    // No foreign flow at all: just restarted, and its owner has not come back yet. What it was, it will be.
    const wiped = dump.value.every((flow) => isOurs(flow.cookie));
    if (!wiped || !known.kind) known.kind = kindOfBridge(view, bridge, dump.value);
    return dump.value;
  }

  private async readMacs(pods: readonly FoundPod[]): Promise<Map<string, readonly string[]>> {
    const found = new Map<string, readonly string[]>();
    await Promise.all(
      pods.flatMap(({ pod, ports }) =>
        ports.map(async (attached) => {
          const written = attached.macs;
          const inside = written.length > 0 ? null : await this.world.namespaces.mac(attached);
          const macs = inside === null ? (written.length > 0 ? written : (pod.macs ?? [])) : [inside];
          found.set(attached.port.uuid, [...new Set(macs.map((mac) => mac.toLowerCase()))]);
        }),
      ),
    );
    return found;
  }

  private async makePorts(
    specs: ReadonlyMap<string, PortSpec>,
    wantedOn: ReadonlyMap<string, readonly string[]>,
  ): Promise<Map<string, PortOutcome>> {
    const usable = (name: string): boolean => this.bridges.get(name)?.kind?.kind === "Switched";
    const fallback = [...this.bridges.keys()].filter(usable).sort()[0];
    const made = new Map<string, PortOutcome>();
    const patches = new Map<string, { spec: PortSpec; bridge: string }>();
    await Promise.all(
      [...specs.values()].map(async (spec) => {
        const bridges = (wantedOn.get(spec.name) ?? []).filter(usable);
        const home = bridges[0] ?? fallback;
        if (home === undefined) return;
        const outcome = await this.world.ports.ensure(spec, home);
        made.set(spec.name, outcome);
        if (outcome.ofport === undefined) return;
        for (const bridge of bridges) {
          if (bridge === outcome.bridge) continue;
          const ends = patchEnds(bridge, outcome.bridge, spec.name);
          patches.set(ends.out.name, { spec: ends.out, bridge });
          patches.set(ends.in.name, { spec: ends.in, bridge: outcome.bridge });
        }
      }),
    );
    const ends = await Promise.all(
      [...patches.values()].map(({ spec, bridge }) => this.world.ports.ensure(spec, bridge)),
    );
    for (const end of ends) {
      made.set(end.spec.name, end);
      // The target's bridge has no Pods of its own perhaps; it needs flows all the same.
      if (!this.bridges.has(end.bridge)) this.bridges.set(end.bridge, { flows: this.watch(end.bridge), kind: null });
      if (!this.bridges.get(end.bridge)?.kind) await this.look(this.world.view(), end.bridge);
    }
    return made;
  }

  private async removePorts(view: OvsView, wanted: ReadonlySet<string>, failures: string[]): Promise<number> {
    const unwanted = unwantedPorts(view, wanted);
    const problems = await Promise.all(unwanted.map((port) => this.world.ports.remove(port)));
    failures.push(...problems.flatMap((problem) => problem ?? []));
    return unwanted.length;
  }

  /** Bridges that are gone or have nothing of ours any more are not watched any longer. */
  private forget(view: OvsView, plan: PlanSpec, inputs: ReadonlyMap<string, unknown>): void {
    for (const [name, { flows }] of this.bridges) {
      if (bridgeOf(view, name) && (inputs.has(name) || plan.rules.length > 0)) continue;
      flows.close();
      this.bridges.delete(name);
    }
    this.world.namespaces.keepOnly(new Set([...view.ports.values()].map(({ uuid }) => uuid)));
  }
}
