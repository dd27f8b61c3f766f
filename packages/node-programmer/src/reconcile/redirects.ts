/**
 * Which redirect acts on a Pod, and how packets come back to its bridge. Pure. Called by resolve.
 *
 * Several bridges: a redirected packet reaches a target on another bridge through the target's patch pair and comes back
 * through the same pair, if the return port is on the target's bridge. A return port on the Pod's own bridge needs no pair.
 */
import { REASONS } from "@ovs-traffic-control/api";
import type { PlanPod, PlanRule, PlanSpec } from "@ovs-traffic-control/api";
import type { Problem } from "../pods";
import { patchEnds, portSpec } from "../ports";
import type { PortOutcome } from "../ports";

type Ports = ReadonlyMap<string, PortOutcome>;

/**
 * The rule that redirects what the Pod sends, and the one that redirects what is addressed to it: the oldest each, whether it
 * can be in force or not, so that all nodes decide alike. Indices into the plan's rules.
 */
export function redirectsOf(plan: PlanSpec, pod: PlanPod): { egress?: number; ingress?: number } {
  const rules = (plan.classes[pod.class]?.rules ?? []).filter((index) => plan.rules[index]?.action === "Redirect");
  const first = (otherDirection: PlanRule["direction"]): number | undefined =>
    rules.find((index) => plan.rules[index]?.direction !== otherDirection);
  const [egress, ingress] = [first("Ingress"), first("Egress")];
  return { ...(egress === undefined ? {} : { egress }), ...(ingress === undefined ? {} : { ingress }) };
}

/** Names of the ports through which packets are taken away. */
export function inspectedTargets(plan: PlanSpec): Set<string> {
  return new Set(plan.rules.flatMap((rule) => (rule.action === "Redirect" ? [portSpec(rule.targetPort).name] : [])));
}

/** Why packets of the bridge could leave, but not come back to it. */
export function whyNoWayBack(ports: Ports, bridge: string, rule: PlanRule): Problem | null {
  if (rule.returnPort === undefined) return null;
  const [target, back] = endsOf(ports, rule);
  if (!target || !back || back.bridge === target.bridge || back.bridge === bridge) return null;
  return {
    reason: REASONS.targetPortFailed,
    message:
      `Target port ${target.spec.name} is on bridge ${target.bridge}, return port ${back.spec.name} on bridge ${back.bridge}, ` +
      `and the Pod on bridge ${bridge}: nothing could come back. Attach both ports to one bridge.`,
  };
}

/** OpenFlow ports of the bridge through which redirected packets come back. `acting`: UIDs of redirects that take some away here. */
export function returnsOn(
  { plan, ports }: { plan: PlanSpec; ports: Ports },
  bridge: string,
  acting: Set<string>,
): number[] {
  const returns = new Set<number>();
  for (const rule of plan.rules) {
    if (rule.action !== "Redirect") continue;
    const [target, back] = endsOf(ports, rule);
    if (back?.bridge === bridge && back.ofport !== undefined) returns.add(back.ofport);
    if (!target || target.bridge === bridge || !acting.has(rule.uid)) continue;
    const pair = ports.get(patchEnds(bridge, target.bridge, target.spec.name).out.name)?.ofport;
    if (pair !== undefined) returns.add(pair);
  }
  return [...returns].sort((a, b) => a - b);
}

function endsOf(
  ports: Ports,
  { targetPort, returnPort }: PlanRule,
): [PortOutcome | undefined, PortOutcome | undefined] {
  return [ports.get(portSpec(targetPort).name), returnPort && ports.get(portSpec(returnPort).name)];
}
