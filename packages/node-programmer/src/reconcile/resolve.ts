/**
 * Plan + what the node has → the compiler's input for each bridge, and what each rule and Pod can expect. Pure.
 * Called by the reconciler after ports exist and before flows do.
 */
import { REASONS } from "@ovs-traffic-control/api";
import type { PlanPod, PlanRule, PlanSpec } from "@ovs-traffic-control/api";
import { pipelineOf } from "../ovs";
import type { BridgeKind, BridgeView, OvsView } from "../ovs";
import { MARKER_TABLE, OVN_RULE_BITS, RULE_BITS } from "../pipeline";
import type { BridgeInput, CarriedTunnel, Home, PodPort, Redirect, Slots, TaggedPort, Tap, Visitor } from "../pipeline";
import { homeOf, vlansOf } from "../pods";
import type { AttachedPort, FoundPod, Problem } from "../pods";
import { portsOf } from "../ports";
import type { PortOutcome, PortSpec } from "../ports";
import { crowdedBridges, whyApproximate, whyNotByRows } from "./by-rows";
import { redirectsOf } from "./redirects";
import { exitFrom, pairBack, relaysTo, returnsOn, whyNoWay } from "./ways";
import type { PairBack } from "./ways";

/** What is known when flows are to be made. */
export interface Facts {
  plan: PlanSpec;
  view: OvsView;
  pods: readonly FoundPod[];
  kinds: ReadonlyMap<string, BridgeKind>;
  /** Targets, return ports and patch ends, by name. */
  ports: ReadonlyMap<string, PortOutcome>;
  /** Rules that cannot be in force whatever Open vSwitch says: index → why. */
  impossible: ReadonlyMap<number, Problem>;
  slots: Slots;
  /** UIDs of redirects that are in force already: while a port of theirs is missing, packets are dropped. */
  engaged: ReadonlySet<string>;
  /** Names of ports to which a Mirror row leads that Open vSwitch has found no room for. */
  ignored: ReadonlySet<string>;
  /** MAC addresses by the UUID of the port row. */
  macs: ReadonlyMap<string, readonly string[]>;
}

/** Facts, and for which targets a bridge has no room for one more Mirror row: bridge → names of ports. */
export interface Knowledge extends Facts {
  crowded: ReadonlyMap<string, ReadonlySet<string>>;
}

export interface RuleOutcome {
  rule: PlanRule;
  /** Why the rule as a whole is not in force. */
  problem: Problem | null;
  realized: number;
  pending: { pod: PlanPod; problem: Problem }[];
  /** Why what it copies is not exactly what it should, although it is in force. */
  approximate?: string;
}

export interface Resolution {
  /** One for each bridge that needs flows. */
  inputs: ReadonlyMap<string, BridgeInput>;
  rules: readonly RuleOutcome[];
  /** Pods on which everything that is wanted is in force. */
  realizedPods: number;
}

/** Bridges with Pods of each rule, in order; by the rule's index. */
export function bridgesOfRules(plan: PlanSpec, pods: readonly FoundPod[]): string[][] {
  const bridges = plan.rules.map(() => new Set<string>());
  for (const { pod, ports } of pods)
    for (const index of plan.classes[pod.class]?.rules ?? [])
      for (const { port } of ports) bridges[index]?.add(port.bridge);
  return bridges.map((each) => [...each].sort());
}

/** Bytes of the longest IP packet that each tunnel is for: port name → MTU of the selected Pods' ports. */
export function longestPackets(
  plan: PlanSpec,
  pods: readonly FoundPod[],
  specs: readonly (readonly PortSpec[])[],
): Map<string, number> {
  const longest = new Map<string, number>();
  for (const { pod, ports } of pods) {
    const mtu = Math.max(0, ...ports.flatMap(({ port }) => port.interfaces.flatMap((row) => row.mtu ?? [])));
    for (const { name, tunnel } of (plan.classes[pod.class]?.rules ?? []).flatMap((index) => specs[index] ?? []))
      if (tunnel) longest.set(name, Math.max(mtu, longest.get(name) ?? 0));
  }
  return longest;
}

export function resolve(given: Facts): Resolution {
  const facts: Knowledge = { ...given, crowded: crowdedBridges(given) };
  const { plan } = facts;
  const problems = plan.rules.map((rule, index) => ruleProblem(facts, rule, index));
  const rules = plan.rules.map(
    (rule, index): RuleOutcome => ({
      rule,
      problem: problems[index] ?? null,
      realized: 0,
      pending: [],
    }),
  );
  let realizedPods = 0;
  const drafts = new Map<string, Draft>();
  const visitors = new Map<string, Visitor[]>();
  for (const found of facts.pods) {
    let complete = true;
    for (const index of plan.classes[found.pod.class]?.rules ?? []) {
      const outcome = rules[index];
      if (!outcome) continue;
      const problem = outcome.problem ?? podProblem(facts, found, outcome.rule);
      if (problem) outcome.pending.push({ pod: found.pod, problem });
      else {
        outcome.realized++;
        outcome.approximate ??= whyApproximate(facts, found);
      }
      complete &&= problem === null;
    }
    if (complete) realizedPods++;
    for (const attached of found.ports) {
      const { bridge } = attached.port;
      if (pipelineOf(facts.kinds.get(bridge)) === null) continue;
      const here = drafts.get(bridge) ?? emptyDraft();
      const acts = here.classes.get(found.pod.class) ?? whatActs(facts, here, problems, found.pod, bridge);
      here.classes.set(found.pod.class, acts);
      if (addPort(facts, here, acts, attached)) drafts.set(bridge, here);
      for (const { on, by } of acts.pairs) {
        const there = visitors.get(on) ?? [];
        visitors.set(on, there);
        there.push({ by, macs: macsOf(facts, attached.port.uuid) });
      }
    }
  }
  return { inputs: inputs(facts, drafts, visitors), rules, realizedPods };
}

function ruleProblem(facts: Facts, rule: PlanRule, index: number): Problem | null {
  const impossible = facts.impossible.get(index);
  if (impossible) return impossible;
  if (!facts.slots.has(rule.uid))
    return {
      reason: REASONS.tooManyRules,
      message: `This node has more than ${RULE_BITS} TrafficControls in force; ${rule.name} is one of the youngest and is not.`,
    };
  const problem = portsOf(rule)
    .map(({ name }) => facts.ports.get(name)?.problem)
    .find((each) => each !== undefined);
  if (!problem) return null;
  if (rule.action !== "Redirect" || !facts.engaged.has(rule.uid)) return problem;
  return { ...problem, message: `${problem.message} Until then the packets of its Pods are dropped.` };
}

function podProblem(facts: Knowledge, found: FoundPod, rule: PlanRule): Problem | null {
  if (found.problem) return found.problem;
  for (const { port } of found.ports) {
    const kind = facts.kinds.get(port.bridge);
    const pipeline = pipelineOf(kind);
    if (pipeline === null)
      return {
        reason: REASONS.pipelineUnknown,
        message: kind?.message
          ? `${kind.message} They use table ${MARKER_TABLE}, so not even Mirror rows are possible.`
          : `Bridge ${port.bridge} has not been looked at yet.`,
      };
    const impossible =
      pipeline === "OVN"
        ? whyNotOnOvn(facts, found, rule)
        : pipeline === "MirrorRows"
          ? whyNotByRows(facts, port.bridge, rule)
          : null;
    if (impossible) return impossible;
    const cutOff = whyNoWay(facts, port.bridge, rule);
    if (cutOff) return cutOff;
    const needsMAC = rule.direction !== "Egress" || (pipeline === "OVN" && rule.action === "Redirect");
    if (needsMAC && pipeline !== "MirrorRows" && macsOf(facts, port.uuid).length === 0)
      return {
        reason: REASONS.macUnknown,
        message: `The MAC address of Pod ${found.pod.namespace}/${found.pod.name} behind port ${port.name} is not known yet, so what is addressed to it cannot be told apart.`,
      };
  }
  return null;
}

/** What a rule needs on OVN that a switched bridge does not ask for. */
function whyNotOnOvn(facts: Facts, found: FoundPod, rule: PlanRule): Problem | null {
  if ((facts.slots.get(rule.uid) ?? 0) >= OVN_RULE_BITS)
    return {
      reason: REASONS.tooManyRules,
      message: `OVN's bridge has room for ${OVN_RULE_BITS} TrafficControls on this node; ${rule.name} is one of the youngest.`,
    };
  for (const { port, ofport } of found.ports) {
    if (rule.direction !== "Egress" && facts.kinds.get(port.bridge)?.keys?.has(ofport) === false)
      return {
        reason: REASONS.notBound,
        message: `OVN has not bound port ${port.name} of Pod ${found.pod.namespace}/${found.pod.name} yet: there is no flow of its own that delivers to it.`,
      };
  }
  return null;
}

/** What collects for one bridge while Pods are gone through. */
interface Draft {
  taps: Map<string, Tap>;
  redirects: Map<string, Redirect>;
  pods: PodPort[];
  homes: Home[];
  /** By the class of a Pod: equal for all Pods of the class on the bridge. */
  classes: Map<number, Acts>;
}

/** What is in force for the Pods of one class on one bridge; empty arrays if nothing is. */
interface Acts {
  wants: Pick<PodPort, "egress" | "ingress" | "egressRedirect" | "ingressRedirect">;
  /** Patch ports of other bridges, where packets come back, that lead to this one. */
  pairs: readonly PairBack[];
}

function emptyDraft(): Draft {
  return { taps: new Map(), redirects: new Map(), pods: [], homes: [], classes: new Map() };
}

/** Notes the rules of the Pod's class that are in force on the bridge. */
function whatActs(
  facts: Knowledge,
  here: Draft,
  problems: readonly (Problem | null)[],
  pod: PlanPod,
  bridge: string,
): Acts {
  const pipeline = pipelineOf(facts.kinds.get(bridge));
  const room = pipeline === "OVN" ? OVN_RULE_BITS : RULE_BITS;
  const egress: number[] = [];
  const ingress: number[] = [];
  const acting = redirectsOf(facts.plan, pod);
  let egressRedirect: number | undefined;
  let ingressRedirect: number | undefined;
  const pairs: PairBack[] = [];
  for (const index of facts.plan.classes[pod.class]?.rules ?? []) {
    const rule = facts.plan.rules[index];
    const bit = rule && facts.slots.get(rule.uid);
    if (rule === undefined || bit === undefined || bit >= room) continue;
    if (pipeline === "MirrorRows" && whyNotByRows(facts, bridge, rule)) continue;
    const target = problems[index] ? null : exitFrom(facts, bridge, rule);
    if (rule.action === "Redirect") {
      const [isEgress, isIngress] = [acting.egress === index, acting.ingress === index];
      if (!(isEgress || isIngress) || (target === null && !facts.engaged.has(rule.uid))) continue;
      here.redirects.set(rule.uid, { uid: rule.uid, target, number: bit + 1 });
      if (isEgress) egressRedirect = bit + 1;
      if (isIngress) ingressRedirect = bit + 1;
      const back = target === null ? null : pairBack(facts.ports, bridge, rule);
      if (back) pairs.push(back);
      continue;
    }
    if (target === null) continue;
    here.taps.set(rule.uid, { uid: rule.uid, target, bit });
    if (rule.direction !== "Ingress") egress.push(bit);
    if (rule.direction !== "Egress") ingress.push(bit);
  }
  return { wants: { egress, ingress, egressRedirect, ingressRedirect }, pairs };
}

/** False if nothing acts on the port. */
function addPort(facts: Facts, here: Draft, { wants }: Acts, { ofport, port }: AttachedPort): boolean {
  const isRedirected = wants.egressRedirect !== undefined || wants.ingressRedirect !== undefined;
  if (wants.egress.length + wants.ingress.length === 0 && !isRedirected) return false;
  const macs = macsOf(facts, port.uuid);
  const key = facts.kinds.get(port.bridge)?.keys?.get(ofport);
  here.pods.push({ ofport, ...wants, macs, vlans: vlansOf(port), key });
  const inspected = { sends: wants.egressRedirect !== undefined, receives: wants.ingressRedirect !== undefined };
  if (isRedirected) here.homes.push(homeOf(port, ofport, macs, inspected));
  return true;
}

function inputs(
  facts: Facts,
  drafts: ReadonlyMap<string, Draft>,
  visitors: ReadonlyMap<string, readonly Visitor[]>,
): Map<string, BridgeInput> {
  const result = new Map<string, BridgeInput>();
  const order = new Map(facts.plan.rules.map((rule, index) => [rule.uid, index]));
  const carriedTunnels = tunnelsOf(facts.plan);
  const names = facts.view.bridges.map(({ name }) => name);
  for (const bridge of facts.view.bridges) {
    const pipeline = pipelineOf(facts.kinds.get(bridge.name));
    if (pipeline === null) continue;
    const here = drafts.get(bridge.name);
    const relays = relaysTo(facts, bridge.name, names);
    const working = [...facts.ports.values()].filter(
      ({ bridge: at, ofport }) => at === bridge.name && ofport !== undefined,
    );
    const silentPorts = working.flatMap(({ ofport }) => ofport ?? []);
    const returns = returnsOn(facts, bridge.name, new Set(here?.redirects.keys()));
    // Where the flows are not ours, our ports are to be silent from the first moment on.
    const isGuarded = pipeline === "MirrorRows" && silentPorts.length > 0;
    if (!here && relays.length === 0 && returns.length === 0 && !isGuarded) continue;
    const redirects = [...(here?.redirects.values() ?? [])].sort((a, b) => a.number - b.number);
    result.set(bridge.name, {
      pipeline,
      planHash: facts.plan.hash,
      taps: [...(here?.taps.values() ?? [])].sort((a, b) => (order.get(a.uid) ?? 0) - (order.get(b.uid) ?? 0)),
      pods: here?.pods ?? [],
      taggedPorts: here?.pods.some(isReceiver) ? taggedPortsOf(bridge) : [],
      relays,
      idleMembers: idleMembersOf(bridge),
      silentPorts,
      carriedTunnels,
      ...(working.some(({ spec }) => spec.kind === "geneve") ? { leavesByGeneve: true } : {}),
      ...(redirects.length + returns.length > 0
        ? { redirection: { redirects, returns, homes: here?.homes ?? [], visitors: visitors.get(bridge.name) ?? [] } }
        : {}),
    });
  }
  return result;
}

function isReceiver({ ingress, ingressRedirect }: PodPort): boolean {
  return ingress.length > 0 || ingressRedirect !== undefined;
}

function taggedPortsOf(bridge: BridgeView): TaggedPort[] {
  return bridge.ports.flatMap((port) => {
    // vlan_mode trunk ignores the tag.
    if (port.tag === undefined || port.tag === 0 || port.ours || port.vlanMode === "trunk") return [];
    const { tag } = port;
    const tunnel = port.vlanMode === "dot1q-tunnel";
    return port.interfaces.flatMap(({ ofport }) => (ofport === undefined ? [] : [{ ofport, tag, tunnel }]));
  });
}

function idleMembersOf(bridge: BridgeView): number[] {
  return bridge.ports.flatMap(({ interfaces }) =>
    interfaces.flatMap(({ idle, ofport }) => (idle && ofport !== undefined ? [ofport] : [])),
  );
}

/** Tunnels of all rules, in force or not (a rule's copies may still be on their way when it has a problem), and of other nodes' rules. */
function tunnelsOf(plan: PlanSpec): CarriedTunnel[] {
  const elsewhere = (plan.collectors ?? []).map(({ remoteIP, udpPort }) => ({
    remoteIP,
    udpPort: udpPort ?? null,
  }));
  return [...plan.rules.flatMap((rule) => portsOf(rule).flatMap(({ tunnel }) => tunnel ?? [])), ...elsewhere];
}

function macsOf(facts: Facts, port: string): readonly string[] {
  return facts.macs.get(port) ?? [];
}
