/**
 * Is this a plan that can be acted on? The CRD's schema has checked the shape of one from the API; a file has been
 * checked by nobody, and no schema knows whether an index points anywhere. Pure. Called when a plan arrives.
 */
import type { NodeTrafficPlan, PlanPort, PlanSpec } from "@ovs-traffic-control/api";

const KINDS = ["ovsInternal", "device", "geneve", "vxlan", "gre", "erspan"] as const;

/** What is wrong with it, null if nothing. `nodeUID`: of the node that we are on, if known. */
export function whyBadPlan({ spec }: NodeTrafficPlan, nodeUID: string | undefined): string | null {
  const { pods, rules, classes, hash } = spec as Partial<PlanSpec>;
  if (!Array.isArray(pods) || !Array.isArray(rules) || !Array.isArray(classes) || typeof hash !== "string")
    return "it has no hash, pods, rules and classes";
  if (nodeUID !== undefined && spec.nodeUID !== nodeUID)
    return `it is for a node with UID ${spec.nodeUID}, this one has ${nodeUID}`;
  for (const { name, class: index } of pods)
    if (!classes[index]) return `Pod ${name} has class ${index}, but there are ${classes.length}`;
  for (const [index, { rules: wanted }] of classes.entries())
    for (const rule of wanted)
      if (!rules[rule]) return `class ${index} names rule ${rule}, but there are ${rules.length}`;
  for (const { name, action, targetPort, returnPort } of rules) {
    if (!hasOneKind(targetPort)) return `the target port of TrafficControl ${name} is not one of ${KINDS.join(", ")}`;
    if (action === "Redirect" && !hasOneKind(returnPort))
      return `the return port of TrafficControl ${name} is not one of ${KINDS.join(", ")}`;
  }
  return null;
}

function hasOneKind(port: PlanPort | undefined): boolean {
  return KINDS.filter((kind) => port?.[kind] !== undefined).length === 1;
}
