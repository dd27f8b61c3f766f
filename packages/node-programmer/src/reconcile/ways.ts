/**
 * How packets get from a Pod's bridge to a target on another bridge of the node, and redirected ones back. Pure. Called by
 * resolve, and by makePorts, which makes the patch pairs.
 *
 * A redirected packet whose return port is on another bridge than its Pod's visits that bridge on its way to the target,
 * whatever bridge that one is on: there it is written down through which pair it came, and so it finds back. A return port on
 * the Pod's own bridge needs no such detour.
 */
import { REASONS } from "@ovs-traffic-control/api";
import type { PlanRule, PlanSpec } from "@ovs-traffic-control/api";
import { pipelineOf } from "../ovs";
import type { BridgeKind } from "../ovs";
import type { Relay } from "../pipeline";
import type { Problem } from "../pods";
import { onwardEnds, patchEnds, portSpec } from "../ports";
import type { PatchEnds, PortOutcome } from "../ports";

type Ports = ReadonlyMap<string, PortOutcome>;

/** What ways depend on. */
export interface Place {
  plan: PlanSpec;
  /** Targets, return ports and patch ends, by name. */
  ports: Ports;
  kinds: ReadonlyMap<string, BridgeKind>;
}

/** From one bridge to the next by a patch pair. */
interface Hop {
  to: string;
  ends: PatchEnds;
}

/** None if the target is on the bridge itself and what comes back needs no other. `back`: of a redirect, if it has one. */
export function hopsOf(bridge: string, target: PortOutcome, back: PortOutcome | undefined): Hop[] {
  const [name, at] = [target.spec.name, target.bridge];
  const first = back === undefined || back.bridge === bridge ? at : back.bridge;
  return [
    ...(first === bridge ? [] : [{ to: first, ends: patchEnds(bridge, first, name) }]),
    ...(first === at ? [] : [{ to: at, ends: onwardEnds(first, at, name) }]),
  ];
}

function wayOf(ports: Ports, bridge: string, rule: PlanRule): { hops: Hop[]; target?: PortOutcome; back?: string } {
  const target = ports.get(portSpec(rule.targetPort).name);
  const back = rule.returnPort && ports.get(portSpec(rule.returnPort).name);
  if (!target) return { hops: [] };
  return { hops: hopsOf(bridge, target, back), target, ...(back ? { back: back.bridge } : {}) };
}

/** OpenFlow port through which the rule's packets leave the bridge: the target, or a patch port towards it; null while the way is not there. */
export function exitFrom(place: Place, bridge: string, rule: PlanRule): number | null {
  const { hops, target } = wayOf(place.ports, bridge, rule);
  if (target?.ofport === undefined || whyNoWay(place, bridge, rule)) return null;
  const [out = target.ofport] = hops.map(({ ends }) => place.ports.get(ends.out.name)?.ofport);
  return hops.every(({ ends }) => isUsable(place.ports, ends)) ? out : null;
}

/** Name of the port through which the rule's packets leave the bridge, whether it works or not. */
export function outputOf(ports: Ports, bridge: string, rule: PlanRule): string | null {
  const { hops, target } = wayOf(ports, bridge, rule);
  return hops[0]?.ends.out.name ?? target?.spec.name ?? null;
}

function isUsable(ports: Ports, { out, in: arrival }: PatchEnds): boolean {
  return [out, arrival].every(({ name }) => ports.get(name)?.ofport !== undefined);
}

/** Why packets of the bridge do not reach the rule's target, or would not come back. */
export function whyNoWay({ ports, kinds }: Place, bridge: string, rule: PlanRule): Problem | null {
  const { hops } = wayOf(ports, bridge, rule);
  const broken = hops
    .flatMap(({ ends }) => [ends.out, ends.in])
    .map(({ name }) => ports.get(name)?.problem)
    .find((problem) => problem !== undefined);
  if (broken) return broken;
  for (const { to } of hops) {
    const kind = kinds.get(to);
    const pipeline = pipelineOf(kind);
    if (pipeline === "MirrorRows")
      return {
        reason: REASONS.pipelineUnknown,
        message: `${kind?.message ?? ""} What comes from bridge ${bridge} cannot be led on to a port of ${rule.name} there.`,
      };
    if (pipeline === null)
      return {
        reason: REASONS.pipelineUnknown,
        message: kind?.message ?? `Bridge ${to}, where a port of ${rule.name} is, has not been looked at yet.`,
      };
  }
  return null;
}

/** A port of a patch pair that leads from the bridge with the return port to the Pod's. */
export interface PairBack {
  on: string;
  by: number;
}

/** By which packets of the bridge come back from another; null if they come back on the bridge itself. */
export function pairBack(ports: Ports, bridge: string, rule: PlanRule): PairBack | null {
  const { hops, back } = wayOf(ports, bridge, rule);
  const by = hops[0] && ports.get(hops[0].ends.in.name)?.ofport;
  return back === undefined || back === bridge || by === undefined ? null : { on: back, by };
}

/** What arrives on the bridge from `others` on its way to a target. */
export function relaysTo({ plan, ports }: Place, bridge: string, others: readonly string[]): Relay[] {
  const relays = new Map<number, Relay>();
  for (const rule of plan.rules)
    for (const other of others) {
      const { hops, target, back } = wayOf(ports, other, rule);
      hops.forEach(({ to, ends }, index) => {
        const next = hops[index + 1];
        const from = to === bridge ? ports.get(ends.in.name)?.ofport : undefined;
        const exit = next ? ports.get(next.ends.out.name)?.ofport : target?.ofport;
        if (from === undefined || exit === undefined || target?.problem) return;
        const inspected = rule.action === "Redirect";
        // One pair may serve redirects with different return ports.
        const returns = (inspected && index === 0 && back === bridge) || relays.get(from)?.returns === true;
        relays.set(from, { from, target: exit, inspected, returns });
      });
    }
  return [...relays.values()].sort((a, b) => a.from - b.from);
}

/** OpenFlow ports of the bridge through which redirected packets come back. `acting`: UIDs of redirects that take some away here. */
export function returnsOn({ plan, ports }: Place, bridge: string, acting: ReadonlySet<string>): number[] {
  const returns = new Set<number>();
  for (const rule of plan.rules) {
    const back = rule.returnPort && ports.get(portSpec(rule.returnPort).name);
    if (rule.action !== "Redirect" || !back) continue;
    const { hops } = wayOf(ports, bridge, rule);
    const pair = hops[0]?.to === back.bridge ? ports.get(hops[0].ends.out.name)?.ofport : undefined;
    if (back.bridge === bridge && back.ofport !== undefined) returns.add(back.ofport);
    else if (pair !== undefined && acting.has(rule.uid)) returns.add(pair);
  }
  return [...returns].sort((a, b) => a - b);
}
