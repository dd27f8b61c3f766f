/**
 * `preview -f FILE`: what would change if the file were applied. The API server judges it by a dry run; which Pods, nodes and
 * ports it would concern is decided by the controller's own desired state, filled with what is in the cluster. Changes nothing.
 */
import { FINALIZER, TRAFFIC_CONTROL, type PlanSpec, type TrafficControl } from "@ovs-traffic-control/api";
import { parseAllDocuments } from "yaml";
import { DesiredState } from "../../../capabilities/desired-state";
import { canonicalJson, planPort, specText } from "../../../capabilities/planning";
import { namespaceFacts, podFacts, type RawNamespace, type RawPod } from "../../../capabilities/selection";
import type { Installation } from "./installation";
import { Failure } from "./kubectl";
import { count, portsText, table, type Column } from "./output";

/** What the API server has said to the dry run of one manifest. */
export interface DryRun {
  manifest: TrafficControl;
  isAccepted: boolean;
  /** "created", "configured", "unchanged"; the refusal where it is refused. */
  said: string;
  warnings: string[];
}

export interface ClusterContents {
  trafficControls: readonly TrafficControl[];
  pods: readonly RawPod[];
  namespaces: readonly RawNamespace[];
  /** Names and UIDs of the Nodes. */
  nodes: readonly { metadata: { name: string; uid: string } }[];
  installation: Installation;
}

export interface PreviewedNode {
  node: string;
  pods: string[];
  /** Whether the node has the target port already, for another TrafficControl or for this one as it is now. */
  port: "new" | "there";
}

export interface Preview extends DryRun {
  name: string;
  ports: string;
  nodes: PreviewedNode[];
  pods: number;
  /** Pods that match, but whose Namespaces have opted out. */
  optedOut: number;
  /** Pods that match, but own the remoteIP. */
  collectors: readonly string[];
  /** What would not work, or would end for others; sentences. */
  conflicts: string[];
}

/** The TrafficControls of the file, and the kinds of whatever else is in it. */
export function manifestsIn(text: string): { trafficControls: TrafficControl[]; others: string[] } {
  const documents = parseAllDocuments(text);
  const broken = documents.flatMap(({ errors }) => errors)[0];
  if (broken !== undefined) throw new Failure(`The file is no YAML: ${broken.message}`);
  const values = documents.map((document) => document.toJS() as unknown).filter((value) => value !== null);
  const objects = values.flatMap((value) => (isList(value) ? value.items : [value])) as TrafficControl[];
  const isOurs = ({ kind }: TrafficControl): boolean => kind === TRAFFIC_CONTROL.kind;
  return {
    trafficControls: objects.filter(isOurs),
    others: objects.filter((object) => !isOurs(object)).map(({ kind }) => kind ?? "an object without kind"),
  };
}

/** Of kubectl's answer to `apply --dry-run=server` the parts that matter. */
export function readDryRun(
  manifest: TrafficControl,
  answer: { exitCode: number; stdout: string; stderr: string },
): DryRun {
  const lines = answer.stderr.split("\n").filter((line) => line.trim() !== "");
  const warnings = lines.flatMap((line) => /^Warning: (.*)$/.exec(line)?.[1] ?? []);
  const isAccepted = answer.exitCode === 0;
  const said = isAccepted
    ? (/ (created|configured|unchanged|serverside-applied)/.exec(answer.stdout)?.[1] ?? answer.stdout.trim())
    : lines.filter((line) => !line.startsWith("Warning: ")).join("\n");
  return { manifest, isAccepted, said, warnings };
}

/** What the accepted manifests would change together, in the order of the file. */
export function preview(dryRuns: readonly DryRun[], contents: ClusterContents, now: Date): Preview[] {
  const accepted = dryRuns.filter(({ isAccepted }) => isAccepted).map(({ manifest }) => manifest);
  const existing = new Map(contents.trafficControls.map((each) => [each.metadata.name ?? "", each]));
  const wanted = new Map(
    accepted.map((manifest) => {
      const { name = "" } = manifest.metadata;
      return [name, asStored(manifest, existing.get(name), now)];
    }),
  );
  const before = stateWith(existing.values(), contents);
  const after = stateWith(new Map([...existing, ...wanted]).values(), contents);
  return dryRuns.map((dryRun) => {
    const { name = "" } = dryRun.manifest.metadata;
    const stored = wanted.get(name);
    const nothing = { nodes: [], pods: 0, optedOut: 0, collectors: [], conflicts: [] };
    const common = { ...dryRun, name, ports: stored === undefined ? "" : portsText(stored.spec) };
    if (stored === undefined) return { ...common, ...nothing };
    const { pods, optedOut, collectors, nodes } = after.selectionOf(name);
    const rows = [...nodes.keys()].sort().map((node) => nodeRow(stored, node, before, after, contents));
    return {
      ...common,
      ...{ pods, optedOut, collectors, nodes: rows },
      conflicts: [
        ...conflictsOf(stored, after),
        ...[...nodes.keys()].flatMap((node) => noRoom(after, node, stored, contents)),
        ...[...existing.values()].flatMap((other) =>
          wanted.has(other.metadata.name ?? "") ? [] : newly(other, before, after),
        ),
      ],
    };
  });
}

function stateWith(trafficControls: Iterable<TrafficControl>, contents: ClusterContents): DesiredState {
  const { namespace, nodesNamespace, honoursOptOut } = contents.installation;
  const state = new DesiredState(new Set([namespace, nodesNamespace]));
  for (const each of contents.namespaces) state.setNamespace(each.metadata.name, namespaceFacts(each, honoursOptOut));
  for (const pod of contents.pods) state.setPod(`${pod.metadata.namespace}/${pod.metadata.name}`, podFacts(pod));
  for (const each of trafficControls) state.setTrafficControl(each.metadata.name ?? "", each);
  return state;
}

/** As the API server and the webhook would store it. */
function asStored(manifest: TrafficControl, existing: TrafficControl | undefined, now: Date): TrafficControl {
  const { name = "" } = manifest.metadata;
  const born = { name, uid: `preview-${name}`, generation: 1, creationTimestamp: now.toISOString() };
  return { ...manifest, metadata: { ...(existing?.metadata ?? born), finalizers: [FINALIZER] } };
}

function planOf(state: DesiredState, node: string, contents: ClusterContents): PlanSpec {
  return JSON.parse(specText(wantedPlan(state, node, contents), [])) as PlanSpec;
}

function wantedPlan(
  state: DesiredState,
  node: string,
  { nodes }: ClusterContents,
): ReturnType<DesiredState["wantedPlan"]> {
  const uid = nodes.find(({ metadata }) => metadata.name === node)?.metadata.uid ?? "";
  return state.wantedPlan(node, uid);
}

/** Why the node's plan has no room for it; no sentence if it has. */
function noRoom(state: DesiredState, node: string, { metadata }: TrafficControl, contents: ClusterContents): string[] {
  const { leftOut } = wantedPlan(state, node, contents);
  return leftOut?.uids.has(metadata.uid ?? "") === true ? [`On ${node}: ${leftOut.message}`] : [];
}

function nodeRow(
  trafficControl: TrafficControl,
  node: string,
  before: DesiredState,
  after: DesiredState,
  contents: ClusterContents,
): PreviewedNode {
  const { rules, classes, pods } = planOf(after, node, contents);
  const index = rules.findIndex(({ name }) => name === trafficControl.metadata.name);
  const target = canonicalJson(planPort(trafficControl.spec.targetPort));
  const isThere = planOf(before, node, contents).rules.some(({ targetPort }) => canonicalJson(targetPort) === target);
  return {
    node,
    pods: pods
      .filter((pod) => classes[pod.class]?.rules.includes(index) === true)
      .map(({ namespace, name }) => `${namespace}/${name}`),
    port: isThere ? "there" : "new",
  };
}

function conflictsOf(trafficControl: TrafficControl, state: DesiredState): string[] {
  const conflict = state.conflictOf(trafficControl);
  if (conflict !== undefined) return [`It would be out of force: ${conflict.message}`];
  const overruled = state.overruledBy(trafficControl);
  if (overruled === undefined) return [];
  return [
    `TrafficControl ${overruled.winner}, which is older, redirects ${count(overruled.pods, "Pod")} of it instead.`,
  ];
}

/** What another TrafficControl would lose. */
function newly(other: TrafficControl, before: DesiredState, after: DesiredState): string[] {
  const known = new Set(conflictsOf(other, before));
  const { name = "" } = other.metadata;
  return conflictsOf(other, after).flatMap((text) => (known.has(text) ? [] : [`For TrafficControl ${name}: ${text}`]));
}

const COLUMNS: readonly Column<PreviewedNode>[] = [
  { heading: "NODE", of: ({ node }) => node },
  { heading: "TARGET PORT", of: ({ port }) => port },
  { heading: "PODS", of: ({ pods }) => pods.length },
  { heading: "", of: ({ pods }) => shortList(pods) },
];
const NAMES_SHOWN = 5;

export function previewText(previews: readonly Preview[]): string {
  return previews.map(one).join("\n\n");
}

function one({
  name,
  isAccepted,
  said,
  warnings,
  ports,
  nodes,
  pods,
  optedOut,
  collectors,
  conflicts,
}: Preview): string {
  const notes = warnings.map((warning) => `Warning: ${warning}`);
  if (!isAccepted) return [`TrafficControl ${name} would be refused:`, said, ...notes].join("\n");
  const subject = `TrafficControl ${name} would be ${said}: ${ports}`;
  const reach = `${subject}, ${count(pods, "Pod")} on ${count(nodes.length, "node")}`;
  if (optedOut > 0) notes.push(`Left out: ${count(optedOut, "Pod")} in Namespaces that have opted out.`);
  if (collectors.length > 0) notes.push(`Left out, because they own the remoteIP: ${shortList(collectors)}.`);
  notes.push(...conflicts.map((conflict) => `Conflict: ${conflict}`));
  return [`${reach}.`, ...(nodes.length === 0 ? [] : [table(COLUMNS, nodes)]), ...notes].join("\n");
}

function shortList(names: readonly string[]): string {
  const more = names.length - NAMES_SHOWN;
  return `${names.slice(0, NAMES_SHOWN).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function isList(value: unknown): value is { items: unknown[] } {
  return typeof value === "object" && value !== null && "items" in value && Array.isArray(value.items);
}
