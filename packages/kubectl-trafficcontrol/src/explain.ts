/** `explain POD`: which TrafficControls act on one Pod, through which ports, and why the others do not. Pure. */
import type { Direction, NodeTrafficPlan, PlanStatus, TrafficControl } from "@ovs-traffic-control/api";
import { conflictsAmong, precedence } from "../../../capabilities/planning";
import {
  compileMatcher,
  isSelectable,
  match,
  namespaceFacts,
  podFacts,
  selectorFacts,
  type PodFacts,
  type RawNamespace,
  type RawPod,
} from "../../../capabilities/selection";
import type { Installation } from "./installation";
import { portsText, table, type Column, type Format } from "./output";

export interface ExplainInput {
  pod: RawPod;
  namespace: RawNamespace;
  trafficControls: readonly TrafficControl[];
  /** Of the Pod's node; undefined if there is none. */
  plan: NodeTrafficPlan | undefined;
  installation: Installation;
}

export interface ExplainedRule {
  name: string;
  action: string;
  direction: string;
  ports: string;
  /** "in force", "pending", "failed", "overruled", "programming", "conflicted". */
  state: string;
  /** Why the state is not "in force", as a sentence. */
  message?: string;
  /** Of all Pods that the TrafficControl selects on this node. */
  packets?: number;
  bytes?: number;
}

export interface Explanation {
  pod: string;
  node: string;
  addresses: readonly string[];
  /** Why no TrafficControl can select the Pod, whatever it says. */
  neverSelected?: string;
  rules: ExplainedRule[];
  others: { name: string; why: string }[];
}

type RuleResult = NonNullable<PlanStatus["rules"]>[number];

export function explain({ pod, namespace, trafficControls, plan, installation }: ExplainInput): Explanation {
  const facts = podFacts(pod);
  const place = namespaceFacts(namespace, installation.honoursOptOut);
  const operator = new Set([installation.namespace, installation.nodesNamespace]);
  const neverSelected = isSelectable(facts, operator) ? undefined : unselectable(facts);
  const conflicts = conflictsAmong(trafficControls);
  const living = trafficControls.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const judged = living
    .sort(precedence)
    .map((each) => ({ each, outcome: match(compileMatcher(selectorFacts(each)), facts, place) }));
  const selecting =
    neverSelected === undefined ? judged.filter(({ outcome }) => outcome === "selected").map(({ each }) => each) : [];
  const inForce = selecting.filter(({ metadata }) => !conflicts.has(metadata.uid ?? ""));
  return {
    pod: `${facts.namespace}/${facts.name}`,
    node: facts.node,
    addresses: facts.addresses,
    neverSelected,
    rules: selecting.map((each): ExplainedRule => {
      const { name = "", uid = "" } = each.metadata;
      const result = plan?.status?.rules?.find((rule) => rule.uid === uid);
      const conflict = conflicts.get(uid)?.message;
      const { action, direction } = each.spec;
      const state = conflict === undefined ? stateOf(each, inForce, plan, result, facts) : conflicted(conflict);
      const counters = { packets: result?.packets, bytes: result?.bytes };
      return { name, action, direction, ports: portsText(each.spec), ...state, ...counters };
    }),
    others: judged
      .filter(({ outcome }) => neverSelected === undefined && outcome !== "selected")
      .map(({ each, outcome }) => ({ name: each.metadata.name ?? "", why: whyNot(each, outcome, facts) })),
  };
}

function conflicted(message: string): Pick<ExplainedRule, "state" | "message"> {
  return { state: "conflicted", message };
}

function stateOf(
  each: TrafficControl,
  inForce: readonly TrafficControl[],
  plan: NodeTrafficPlan | undefined,
  result: RuleResult | undefined,
  pod: PodFacts,
): Pick<ExplainedRule, "state" | "message"> {
  const { uid = "", generation } = each.metadata;
  const planned = plan?.spec.rules.find((rule) => rule.uid === uid);
  if (planned === undefined || !plan?.spec.pods.some(({ uid: known }) => known === pod.uid))
    return { state: "programming", message: "The controller has not put it into the node's plan yet." };
  if (plan.status?.observedHash !== plan.spec.hash || result === undefined || result.generation !== generation)
    return { state: "programming", message: `${pod.node} has not acted on its latest plan yet.` };
  if (result.reason !== undefined && result.reason !== "")
    return { state: "failed", message: `${result.reason}: ${result.message ?? ""}` };
  const pending = result.pendingPods.find(({ namespace, name }) => namespace === pod.namespace && name === pod.name);
  if (pending !== undefined) return { state: "pending", message: `${pending.reason}: ${pending.message}` };
  if (each.spec.action !== "Redirect") return { state: "in force" };
  const winners = directionsOf(each).map((direction) => ({ direction, winner: winnerOf(direction, inForce) }));
  const lost = winners.filter(({ winner }) => winner !== each);
  if (lost.length === 0) return { state: "in force" };
  const by = lost.map(({ direction, winner }) => `${winner?.metadata.name ?? "?"} (${direction})`).join(", ");
  const message = `A packet is redirected once, by the oldest TrafficControl: ${by}.`;
  return { state: lost.length === winners.length ? "overruled" : "partly overruled", message };
}

function directionsOf({ spec }: TrafficControl): Direction[] {
  return spec.direction === "Both" ? ["Egress", "Ingress"] : [spec.direction];
}

function winnerOf(direction: Direction, ordered: readonly TrafficControl[]): TrafficControl | undefined {
  return ordered.find((each) => each.spec.action === "Redirect" && directionsOf(each).includes(direction));
}

function unselectable({ node, hostNetwork, finished }: PodFacts): string {
  if (node === "") return "It is not bound to a node yet.";
  if (hostNetwork) return "It is in the host's network, and has no port of its own.";
  return finished ? "It has finished." : "It is a Pod of the operator.";
}

function whyNot({ spec }: TrafficControl, outcome: string, pod: PodFacts): string {
  if (outcome === "optedOut") return `the Namespace ${pod.namespace} has opted out`;
  if (outcome === "collector") return "the Pod owns the remoteIP that the packets are sent to";
  const { podSelector, namespaceSelector } = spec.appliedTo;
  if (podSelector === undefined && namespaceSelector === undefined) return "its appliedTo is empty and selects no Pod";
  if (spec.action === "Redirect" && pod.namespace === "kube-system")
    return "a Redirect leaves kube-system alone, or its selectors do not match";
  return "its selectors do not match the labels of the Pod and its Namespace";
}

const COLUMNS: readonly Column<ExplainedRule>[] = [
  { heading: "TRAFFICCONTROL", of: ({ name }) => name },
  { heading: "ACTION", of: ({ action }) => action },
  { heading: "DIRECTION", of: ({ direction }) => direction },
  { heading: "PORTS", of: ({ ports }) => ports },
  { heading: "PACKETS", of: ({ packets }) => packets },
  { heading: "BYTES", of: ({ bytes }) => bytes, wide: true },
  { heading: "STATE", of: ({ state, message }) => (message === undefined ? state : `${state}: ${message}`) },
];

export function explanationText(
  { pod, node, addresses, neverSelected, rules, others }: Explanation,
  format: Format,
): string {
  const where = node === "" ? "" : ` on ${node}`;
  const lines = [`Pod ${pod}${where}${addresses.length === 0 ? "" : ` (${addresses.join(", ")})`}`];
  if (neverSelected !== undefined) return [...lines, `No TrafficControl ever selects it: ${neverSelected}`].join("\n");
  if (rules.length === 0) lines.push("No TrafficControl acts on it.");
  else
    lines.push(
      "",
      table(COLUMNS, rules, format),
      `PACKETS are those of all Pods that a TrafficControl selects on ${node}.`,
    );
  if (others.length > 0) lines.push("", "Not selected by:", ...others.map(({ name, why }) => `  ${name}: ${why}`));
  return lines.join("\n");
}
