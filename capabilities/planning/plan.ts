/**
 * From the Pods of one node and the TrafficControls that select them to the node's plan. Equal inputs give byte-equal plans. A plan is made
 * as text, from pieces that are rendered once per TrafficControl: objects would be turned into JSON three times on their way to the API
 * server, which was most of what a plan cost.
 */
import type { TrafficControl } from "../api";
import type { PodFacts } from "../selection";
import { canonicalJson, hashOfText } from "./canonical";
import type { Collector } from "./collectors";
import { planPort } from "./ports";
import { compareText, inPrecedence } from "./precedence";

/** A Pod of the node and the TrafficControls that act on it, in any order. Pods with the same ones share the array, if they can. */
export interface PlannedPod {
  pod: PodFacts;
  trafficControls: readonly TrafficControl[];
}

/** One TrafficControl in a plan. */
export interface RuleFacts {
  uid: string;
  name: string;
  generation: number;
}

export interface Plan {
  nodeUID: string;
  /** Of text(). */
  hash: string;
  rules: readonly RuleFacts[];
  /** UIDs of those for which there is no room, the newest of all, and why, as a sentence. */
  leftOut?: { uids: ReadonlySet<string>; message: string };
  /** Canonical JSON of nodeUID, pods, rules, classes and collectors. Made anew by each call, so that a kept plan is small. */
  text: () => string;
}

/** What the CRD allows, and etcd with it. */
export const MAXIMUM_ITEMS = 1000;
const MAXIMUM_BYTES = 1024 * 1024;

/**
 * The plan without `retiring`, which is history rather than a function of the present. `collectors` are those of the whole cluster; a node
 * without rules does not need them. If a plan has no room for all, the newest TrafficControls are left out until the rest fits.
 */
export function planNode(
  nodeUID: string,
  selected: readonly PlannedPod[],
  collectors: readonly Collector[] = [],
): Plan {
  const distinct = new Set<TrafficControl>();
  for (const trafficControls of new Set(selected.map((each) => each.trafficControls)))
    for (const trafficControl of trafficControls) distinct.add(trafficControl);
  const ordered = inPrecedence(distinct);
  const all = draw(nodeUID, selected, ordered, collectors);
  const message = excess(all);
  if (message === undefined) return planOf(all);
  // The more rules, the larger the plan: the most that fit are found by halving.
  let [fits, tooMany] = [0, ordered.length];
  while (tooMany - fits > 1) {
    const middle = (fits + tooMany) >> 1;
    if (excess(draw(nodeUID, selected, ordered.slice(0, middle), collectors)) === undefined) fits = middle;
    else tooMany = middle;
  }
  const uids = new Set(ordered.slice(fits).map(({ metadata: { uid = "" } }) => uid));
  return {
    ...planOf(draw(nodeUID, selected, ordered.slice(0, fits), collectors)),
    leftOut: {
      uids,
      message: `${message} The oldest ${fits} of ${ordered.length} TrafficControls there are in force.`,
    },
  };
}

export function isEmpty(plan: { rules: readonly unknown[] }): boolean {
  return plan.rules.length === 0;
}

/** The whole spec as JSON, with what is not hashed. */
export function specText(plan: Plan, retiring: readonly string[]): string {
  const rest = retiring.length > 0 ? `,"retiring":${JSON.stringify(retiring)}` : "";
  return `${plan.text().slice(0, -1)},"hash":${JSON.stringify(plan.hash)}${rest}}`;
}

/** After a restart of the machine the same plan has to be acted on again: Open vSwitch's flows are gone, and a confirmation with them. */
export function boundTo(bootID: string, plan: Plan): Plan {
  return bootID === "" ? plan : { ...plan, hash: hashOfText(canonicalJson([plan.hash, bootID])) };
}

/** A plan before it is text: which rules, which Pods with which class, which classes. */
interface Drawing {
  nodeUID: string;
  ordered: readonly TrafficControl[];
  pods: readonly { pod: PodFacts; class: number }[];
  render: () => string;
  /** What render() returns. */
  text: string;
}

function planOf({ nodeUID, ordered, render, text }: Drawing): Plan {
  const rules = ordered.map(({ metadata: { name = "", uid = "", generation = 0 } }) => ({ uid, name, generation }));
  // Usually written at once; as long as nobody needs the memory, it is not put together a second time for that.
  const rendered = new WeakRef({ text });
  return { nodeUID, hash: hashOfText(text), rules, text: () => rendered.deref()?.text ?? render() };
}

function draw(
  nodeUID: string,
  selected: readonly PlannedPod[],
  ordered: readonly TrafficControl[],
  collectors: readonly Collector[],
): Drawing {
  const position = new Map(ordered.map((trafficControl, index) => [trafficControl, index]));
  /** Distinct sets of rules by their JSON, and by the array that they come from. */
  const classes = new Map<string, { rules: number[]; json: string; number: number }>();
  const classOf = new Map<readonly TrafficControl[], { rules: number[]; number: number }>();
  for (const { trafficControls } of selected) {
    if (classOf.has(trafficControls)) continue;
    const rules = trafficControls.flatMap((trafficControl) => position.get(trafficControl) ?? []);
    const json = `[${rules.sort((a, b) => a - b).join(",")}]`;
    const known = classes.get(json) ?? { rules, json, number: 0 };
    if (rules.length > 0) classes.set(json, known);
    classOf.set(trafficControls, known);
  }
  const sorted = [...classes.values()].sort((a, b) => compareLists(a.rules, b.rules));
  sorted.forEach((each, index) => (each.number = index));
  const pods: { pod: PodFacts; class: number }[] = [];
  for (const { pod, trafficControls } of selected) {
    const { rules, number } = classOf.get(trafficControls)!;
    if (rules.length > 0) pods.push({ pod, class: number });
  }
  pods.sort((a, b) => compareText(a.pod.namespace, b.pod.namespace) || compareText(a.pod.name, b.pod.name));
  const lists = sorted.map(({ json }) => `{"rules":${json}}`).join(",");
  const ends = collectors.length > 0 && ordered.length > 0 ? `"collectors":${collectorsText(collectors)},` : "";
  // Fields in alphabetical order, as canonicalJson has them; a property test compares.
  const render = (): string =>
    `{"classes":[${lists}],${ends}"nodeUID":${JSON.stringify(nodeUID)},"pods":[${pods.map(podText).join(",")}],"rules":[${ordered.map(ruleText).join(",")}]}`;
  return { nodeUID, ordered, pods, render, text: render() };
}

/** Why the plan cannot be written, as a sentence; undefined if it can. */
function excess({ pods, ordered, text }: Drawing): string | undefined {
  if (pods.length > MAXIMUM_ITEMS)
    return `${pods.length} Pods are selected on the node; a plan holds ${MAXIMUM_ITEMS}.`;
  if (ordered.length > MAXIMUM_ITEMS)
    return `${ordered.length} TrafficControls act on the node; a plan holds ${MAXIMUM_ITEMS}.`;
  const bytes = Buffer.byteLength(text);
  if (bytes > MAXIMUM_BYTES) return `The plan of the node has ${bytes} bytes; ${MAXIMUM_BYTES} are possible.`;
  return undefined;
}

/** A hundred of them are most of a plan: fields one by one, in alphabetical order. */
function podText({ pod, class: number }: { pod: PodFacts; class: number }): string {
  const { addresses, created, interfaces, macs, name, namespace, staticUID, uid } = pod;
  return (
    `{${addresses.length > 0 ? `"addresses":${JSON.stringify(addresses)},` : ""}"class":${number},` +
    (created === undefined ? "" : `"created":${created},`) +
    (interfaces === undefined ? "" : `"interfaces":${JSON.stringify(interfaces)},`) +
    (macs.length > 0 ? `"macs":${JSON.stringify(macs)},` : "") +
    `"name":${JSON.stringify(name)},"namespace":${JSON.stringify(namespace)},` +
    `${staticUID === undefined ? "" : `"staticUID":${JSON.stringify(staticUID)},`}"uid":${JSON.stringify(uid)}}`
  );
}

const ruleTexts = new WeakMap<TrafficControl, string>();

/** A TrafficControl is never changed in place: another spec is another object. */
function ruleText(trafficControl: TrafficControl): string {
  const known = ruleTexts.get(trafficControl);
  if (known !== undefined) return known;
  const { metadata, spec } = trafficControl;
  const text = canonicalJson({
    name: metadata.name ?? "",
    uid: metadata.uid ?? "",
    generation: metadata.generation ?? 0,
    direction: spec.direction,
    action: spec.action,
    targetPort: planPort(spec.targetPort),
    returnPort: spec.returnPort && planPort(spec.returnPort),
  });
  ruleTexts.set(trafficControl, text);
  return text;
}

const collectorTexts = new WeakMap<readonly Collector[], string>();

function collectorsText(collectors: readonly Collector[]): string {
  let text = collectorTexts.get(collectors);
  if (text === undefined) collectorTexts.set(collectors, (text = canonicalJson(collectors)));
  return text;
}

function compareLists(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = a[i]! - b[i]!;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
