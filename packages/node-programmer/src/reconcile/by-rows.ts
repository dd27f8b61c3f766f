/** What Mirror rows can do for a Pod's port, and what not. Pure. Called by resolve. */
import { REASONS } from "@ovs-traffic-control/api";
import type { PlanRule } from "@ovs-traffic-control/api";
import { MOST_MIRRORS, withoutRoom } from "../mirrors";
import { pipelineOf } from "../ovs";
import type { FoundPod, Problem } from "../pods";
import type { Facts, Knowledge } from "./resolve";
import { outputOf } from "./ways";

/** For which targets the bridges have no room; only those are named on which Mirror rows take the copies. */
export function crowdedBridges(facts: Facts): Map<string, Set<string>> {
  const { plan, kinds } = facts;
  const wanted = new Map<string, Set<number>>();
  for (const { pod, ports } of facts.pods)
    for (const { port } of ports) {
      if (pipelineOf(kinds.get(port.bridge)) !== "MirrorRows") continue;
      const rules = wanted.get(port.bridge) ?? new Set();
      for (const index of plan.classes[pod.class]?.rules ?? []) rules.add(index);
      wanted.set(port.bridge, rules);
    }
  return new Map(
    facts.view.bridges.flatMap((bridge) => {
      const rules = wanted.get(bridge.name);
      if (!rules) return [];
      const mirrors = [...rules].sort((a, b) => a - b).flatMap((index) => plan.rules[index] ?? []);
      const outputs = mirrors
        .filter(({ action }) => action === "Mirror")
        .flatMap((rule) => outputOf(facts.ports, bridge.name, rule) ?? []);
      return [[bridge.name, withoutRoom(bridge, outputs)] as const];
    }),
  );
}

/** What copies of the Pod hold beyond what they should; undefined if they are exact. */
export function whyApproximate({ kinds }: Facts, { ports }: FoundPod): string | undefined {
  const port = ports.find(({ port: { bridge } }) => pipelineOf(kinds.get(bridge)) === "MirrorRows");
  if (!port) return undefined;
  return (
    `${kinds.get(port.port.bridge)?.message ?? ""} So copies are taken by Mirror rows of Open vSwitch: ARP, neighbour discovery, ` +
    "broadcasts and tunnelled copies of others are among them, they carry the VLAN tag of an access port, and packets are counted per target."
  );
}

/** What Mirror rows cannot do for the Pod's port. */
export function whyNotByRows(facts: Knowledge, bridge: string, rule: PlanRule): Problem | null {
  const why = facts.kinds.get(bridge)?.message ?? "";
  if (rule.action === "Redirect")
    return {
      reason: REASONS.pipelineUnknown,
      message: `${why} What is taken away from its flows could not be given back to them, so only action Mirror is possible there.`,
    };
  const output = outputOf(facts.ports, bridge, rule);
  if (output !== null && (facts.crowded.get(bridge)?.has(output) || facts.ignored.has(output)))
    return {
      reason: REASONS.tooManyMirrors,
      message: `Open vSwitch knows ${MOST_MIRRORS} mirrors on one bridge, and ${bridge} has no room for the one to ${output}. Send to fewer targets, or remove Mirror rows of others.`,
    };
  return null;
}
