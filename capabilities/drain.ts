/**
 * The drain: what has to happen before the operator may go. Started by pepr.ts as `node main.js drain`, in the Job that Helm runs
 * before it uninstalls the release.
 *
 * It sends the controller home and takes its Lease; then it is the controller itself, for which every TrafficControl is being
 * deleted. So the plans become empty, each node confirms that nothing of ours is left on it, and the finalizers go. The
 * TrafficControls stay: whoever installs the release again has his taps back. New ones are refused meanwhile by a
 * ValidatingAdmissionPolicy of the chart (templates/drain.yaml).
 */
import {
  CONDITIONS,
  FINALIZER,
  LABELS,
  NODE_TRAFFIC_PLAN,
  REASONS,
  TRAFFIC_CONTROL,
  type NodeTrafficPlan,
  type TrafficControl,
} from "./api";
import { startController, type ControllerOptions } from "./controller";
import { PROGRAMMER_COMPONENT } from "./delivery";
import {
  must,
  RESOURCES,
  sleep,
  type Clock,
  type Environment,
  type KubernetesApi,
  type Logger,
  type Query,
  type Resource,
} from "./engine";
import { isConfirmed, planFacts, uidsInForce } from "./planning";
import { list } from "./reporting";

const CONTROLLER = "ovs-traffic-control-controller";
const LOOK_AGAIN_MS = 1_000;
/** What comes after the deadline: finalizers that are given up, Jobs and plans that are deleted. */
const AFTERWARDS_MS = 30_000;
const NOBODY_INTERRUPTS = new AbortController().signal;

export interface DrainOptions {
  environment: Environment;
  /** How long nodes may take to confirm. */
  deadlineSeconds: number;
  api: KubernetesApi;
  clock: Clock;
  log: Logger;
  /** As for the controller that the drain starts. */
  controller?: ControllerOptions;
}

interface Listed {
  trafficControls: TrafficControl[];
  plans: NodeTrafficPlan[];
  /** Names of the nodes that are there. */
  nodes: ReadonlySet<string>;
}

/** What keeps the operator from going. */
interface Remainder {
  /** TrafficControls with our finalizer, by name. */
  held: string[];
  /** Nodes that are there and have not confirmed that they tap nothing, by name. */
  unconfirmed: string[];
}

/** Resolves with the nodes that have not confirmed by the deadline; throws if a TrafficControl could not be let go. */
export async function drain(options: DrainOptions): Promise<string[]> {
  const { environment, deadlineSeconds, api, clock, log } = options;
  const end = clock.monotonic() + deadlineSeconds * 1000;
  await sendControllerHome(options);
  const controller = await startController(
    { ...environment, cleanupDeadlineSeconds: deadlineSeconds },
    { ...options.controller, isDraining: true },
  );
  try {
    const left = await until(clock, end, async () => {
      const remainder = await remainderOf(api);
      log.info({ ...remainder }, "draining");
      return remainder.held.length + remainder.unconfirmed.length === 0 ? undefined : remainder;
    });
    await endProgrammers(options, left === undefined);
    const held = await until(clock, clock.monotonic() + AFTERWARDS_MS, async () => {
      const names = (await remainderOf(api)).held;
      return names.length === 0 ? undefined : names;
    });
    if (held !== undefined)
      throw new Error(
        `The finalizer ${FINALIZER} is still on ${held.join(", ")}: see the log above, and run it again.`,
      );
    await sayWhoTaps(options);
    return left?.unconfirmed ?? [];
  } finally {
    await controller.stop();
  }
}

/** Pure: what the API server has listed → what is left to do. */
function remainderAmong({ trafficControls, plans, nodes }: Listed): Remainder {
  const held = trafficControls.filter(({ metadata }) => metadata.finalizers?.includes(FINALIZER) === true);
  const unconfirmed = plans
    .filter((plan) => plan.spec.rules.length > 0 || !isConfirmed(planFacts(plan)))
    .map(({ metadata }) => metadata.name ?? "")
    .filter((node) => nodes.has(node));
  return { held: held.map(({ metadata }) => metadata.name ?? "").sort(), unconfirmed: unconfirmed.sort() };
}

/** Its Deployment would otherwise start it again, and it would put the finalizers back. Gone already is as well. */
async function sendControllerHome({ api, environment, log }: DrainOptions): Promise<void> {
  const path = {
    ...{ resource: RESOURCES.deployments, namespace: environment.podNamespace },
    ...{ name: CONTROLLER, subresource: "scale" },
  };
  const scaled = await api.mergePatch(path, { spec: { replicas: 0 } });
  if (!scaled.ok && scaled.code === 404) log.info("there is no controller any more");
  else must(scaled, `Scaling the Deployment ${CONTROLLER} to 0`);
}

async function remainderOf(api: KubernetesApi): Promise<Remainder> {
  return remainderAmong(await listed(api));
}

async function listed(api: KubernetesApi): Promise<Listed> {
  const [trafficControls, plans, nodes] = await Promise.all([
    listAll<TrafficControl>(api, TRAFFIC_CONTROL),
    listAll<NodeTrafficPlan>(api, NODE_TRAFFIC_PLAN),
    listAll<{ metadata: { name: string } }>(api, RESOURCES.nodes),
  ]);
  return { trafficControls, plans, nodes: new Set(nodes.map(({ metadata }) => metadata.name)) };
}

/**
 * Programmers whose plan is empty linger; nobody will need them. When their Jobs are gone, the controller deletes the plans. A
 * node that has not confirmed keeps both: what its plan says is still to be done, by the next release.
 */
async function endProgrammers({ api, environment, clock, log }: DrainOptions, isComplete: boolean): Promise<void> {
  if (!isComplete) return;
  const namespace = environment.nodesNamespace;
  const query = { labelSelector: `${LABELS.component}=${PROGRAMMER_COMPONENT}` };
  const jobs = await listAll<{ metadata: { name: string } }>(api, RESOURCES.jobs, namespace, query);
  for (const { metadata } of jobs) {
    const path = { resource: RESOURCES.jobs, namespace, name: metadata.name };
    const deleted = await api.delete(path, { propagationPolicy: "Background" });
    if (!deleted.ok && deleted.code !== 404) must(deleted, `Deleting the Job ${metadata.name}`);
  }
  const plans = await until(clock, clock.monotonic() + AFTERWARDS_MS, async () => {
    const names = (await listAll<NodeTrafficPlan>(api, NODE_TRAFFIC_PLAN)).map(({ metadata }) => metadata.name ?? "");
    return names.length === 0 ? undefined : names;
  });
  if (plans !== undefined) log.warn({ plans }, "empty NodeTrafficPlans stay; they do no harm");
}

/** Nobody, or the nodes that have not confirmed. Otherwise the last status would stay: realized on all nodes. */
async function sayWhoTaps({ api, clock }: DrainOptions): Promise<void> {
  const lastTransitionTime = new Date(clock.now()).toISOString().replace(/\.\d+Z$/, "Z");
  const { trafficControls, plans, nodes } = await listed(api);
  const facts = plans.map(planFacts).filter(({ node }) => nodes.has(node));
  for (const { metadata } of trafficControls) {
    const { name = "", generation = 0, uid = "" } = metadata;
    const mayTap = facts.filter((plan) => uidsInForce(plan).has(uid)).map(({ node }) => node);
    const condition = {
      ...{ type: CONDITIONS.ready, status: "False", reason: REASONS.operatorUninstalled },
      message: `ovs-traffic-control has been uninstalled; ${whoTaps(mayTap.sort())}`,
      ...{ lastTransitionTime, observedGeneration: generation },
    };
    const counts = { nodes: "0/0", desiredNodes: 0, realizedNodes: 0, selectedPods: 0, failures: null };
    const path = { resource: TRAFFIC_CONTROL, name, subresource: "status" };
    const status = { observedGeneration: generation, conditions: [condition], ...counts };
    const written = await api.mergePatch(path, { status });
    if (!written.ok && written.code !== 404) must(written, `Writing the status of TrafficControl ${name}`);
  }
}

function whoTaps(nodes: string[]): string {
  if (nodes.length === 0) return "nothing is tapped.";
  const have = nodes.length === 1 ? "has" : "have";
  const what = "not confirmed that its taps are gone: there it may still be in force";
  return `${list(nodes)} ${have} ${what}. Install the release again, or run kubectl trafficcontrol uninstall.`;
}

async function listAll<T>(api: KubernetesApi, resource: Resource, namespace?: string, query: Query = {}): Promise<T[]> {
  const items: T[] = [];
  let token: string | undefined;
  do {
    const page = await api.list<T>({ resource, namespace }, { ...query, limit: 500, continue: token });
    const { metadata, items: more } = must(page, `Listing ${resource.plural}`);
    items.push(...more);
    token = metadata.continue;
  } while (token !== undefined && token !== "");
  return items;
}

/** Asks until there is nothing left; resolves with what is left at the end. A failed request counts as an answer only then. */
async function until<T>(clock: Clock, end: number, ask: () => Promise<T | undefined>): Promise<T | undefined> {
  for (;;) {
    try {
      const left = await ask();
      if (left === undefined || clock.monotonic() >= end) return left;
    } catch (error) {
      if (clock.monotonic() >= end) throw error;
    }
    await sleep(clock, LOOK_AGAIN_MS, NOBODY_INTERRUPTS);
  }
}
