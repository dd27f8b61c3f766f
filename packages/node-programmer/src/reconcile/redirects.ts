/** Which redirect acts on a Pod. Pure. Called by resolve. */
import type { PlanPod, PlanRule, PlanSpec } from "@ovs-traffic-control/api";
import { portSpec, portsOf } from "../ports";

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

/** Names of the ports through which packets are taken away, or come back. */
export function portsOfRedirects(plan: PlanSpec): Set<string> {
  const redirects = plan.rules.filter(({ action }) => action === "Redirect");
  return new Set(redirects.flatMap((rule) => portsOf(rule).map(({ name }) => name)));
}
