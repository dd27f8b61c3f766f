/**
 * The life of a large cluster on a real control plane: everything comes, changes and goes, and the plans are always those that plain
 * matching says. Returns what it took. Run by test/e2e/scale.test.ts, with more or fewer nodes.
 */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { KubeConfig } from "@kubernetes/client-node";
import {
  NODE_TRAFFIC_PLAN,
  TRAFFIC_CONTROL,
  type NodeTrafficPlan,
  type PlanSpec,
  type TrafficControl,
} from "@ovs-traffic-control/api";
import { startController } from "../../../capabilities/controller";
import {
  Connection,
  Informer,
  KubernetesClient,
  leaseClient,
  logger,
  must,
  readEnvironment,
  RESOURCES,
  systemClock,
  type KubernetesApi,
  type ObjectPath,
  type Environment,
  type RawObject,
} from "../../../capabilities/engine";
import { percentile } from "../../bench/e2e/statistics";
import { eventually } from "../e2e/eventually";
import type { KwokCluster } from "./cluster";
import { expected, namespaces, nodeName, pod, tap, trafficControl, type Pod, type Size } from "./population";

const PATIENCE = { seconds: 600, pauseMilliseconds: 200 };
const AT_A_TIME = 24;
const QUIET_SECONDS = 5;
const WRITES = new Set<string | symbol>(["create", "replace", "apply", "mergePatch", "jsonPatch", "delete"]);
const [OPERATOR, NODES] = ["ovs-traffic-control", "ovs-traffic-control-nodes"];

interface PlanState {
  bytes: number;
  isConfirmed: boolean;
  isEmpty: boolean;
  /** "namespace/name" of each Pod → names of its rules. */
  pods: Map<string, string[]>;
}

export class Scenario {
  readonly figures: [what: string, figure: string][] = [];
  private readonly plans: Informer<NodeTrafficPlan & RawObject, PlanState>;
  private readonly taps: Informer<TrafficControl & RawObject, Pick<TrafficControl, "metadata" | "status">>;
  private readonly pods: Pod[];
  private onPlan: (node: string, plan: PlanState | undefined) => void = () => undefined;
  private stopController: () => Promise<void> = () => Promise.resolve();
  /** Of the controller so far, but for its Lease. */
  private writes = 0;

  constructor(
    private readonly cluster: KwokCluster,
    private readonly size: Size,
  ) {
    this.pods = Array.from({ length: size.pods }, (_, index) => pod(size, index));
    const common = { api: cluster.client, clock: systemClock, log: logger("scenario") };
    this.plans = new Informer<NodeTrafficPlan & RawObject, PlanState>({
      ...common,
      path: { resource: NODE_TRAFFIC_PLAN },
      project: planState,
      isSame: () => false,
      onChange: (_before, after, node) => this.onPlan(node, after),
    });
    this.taps = new Informer<TrafficControl & RawObject, Pick<TrafficControl, "metadata" | "status">>({
      ...common,
      path: { resource: TRAFFIC_CONTROL },
      project: ({ metadata, status }) => ({ metadata, status }),
      onChange: () => undefined,
    });
  }

  /** Namespaces, nodes and Pods, all of them Running. */
  async populate(): Promise<void> {
    const began = performance.now();
    await this.cluster.play("oneShot");
    const operator = [OPERATOR, NODES].map((name) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } }));
    await this.createAll({ resource: RESOURCES.namespaces }, [...operator, ...namespaces]);
    const nodes = Array.from({ length: this.size.nodes }, (_, index) => {
      return { apiVersion: "v1", kind: "Node", metadata: { name: nodeName(index) } };
    });
    await this.createAll({ resource: RESOURCES.nodes }, nodes);
    await this.createAll({ resource: RESOURCES.pods }, this.pods);
    this.plans.start();
    this.taps.start();
    await Promise.all([this.plans.synced, this.taps.synced]);
    await eventually(
      "all Pods run",
      async () => {
        const query = { fieldSelector: "status.phase!=Running", limit: 1 };
        const waiting = await this.cluster.client.list({ resource: RESOURCES.pods }, query);
        return waiting.ok && waiting.value.items.length === 0;
      },
      PATIENCE,
    );
    this.say("nodes and Pods made, all Running", since(began));
  }

  /** Jobs that complete: on so many nodes something is tapped, and tapped no more. */
  async oneShot(nodes: number): Promise<void> {
    await this.control("oneShot");
    const names = new Set(Array.from({ length: nodes }, (_, index) => nodeName(index)));
    const chosen = new Set(names);
    for (const { metadata, spec } of this.pods)
      if (chosen.delete(spec.nodeName))
        await this.patch({ resource: RESOURCES.pods, ...place(metadata) }, { metadata: { labels: { once: "yes" } } });
    const began = performance.now();
    await this.create([
      tap("once", { podSelector: { matchLabels: { once: "yes" } } }, { ovsInternal: { name: "once0" } }),
    ]);
    await this.untilReady([["once", nodes]]);
    const seconds = (performance.now() - began) / 1000;
    this.say(
      `${nodes} Jobs made, run and completed`,
      `${seconds.toFixed(1)} s, ${(nodes / seconds).toFixed(1)} a second`,
    );
    await this.remove(["once"]);
    await eventually("no plan and no Job is left", async () => this.plans.size + (await this.jobs()) === 0, PATIENCE);
    await this.stopController();
  }

  /** Resident programmers on all nodes. */
  async resident(): Promise<void> {
    const { size } = this;
    await this.cluster.play("resident");
    const taps = Array.from({ length: size.trafficControls }, (_, index) => trafficControl(size, index));
    await this.create(taps);
    const began = performance.now();
    await this.control("resident");
    await eventually("all plans are written", () => this.areWritten(taps), PATIENCE);
    this.say("start of the controller → all plans written", since(began));
    await this.untilReady(taps.map(({ metadata: { name = "" } }) => [name, nodesOf(name, expected(this.pods, taps))]));
    this.say("the same → all TrafficControls Ready", since(began));
    const bytes = [...this.plans.values()].map((plan) => plan.bytes);
    const kilobytes = (value: number): string => `${(value / 1000).toFixed(1)} KB`;
    this.say("plans: median, largest", `${kilobytes(percentile(bytes, 50))}, ${kilobytes(Math.max(...bytes))}`);
    await this.podEvents(taps);

    const everything = tap("everything", { podSelector: {} }, { ovsInternal: { name: "tap0" } });
    const all = performance.now();
    await this.create([everything]);
    await eventually("all plans have it", () => this.areWritten([...taps, everything]), PATIENCE);
    this.say("new TrafficControl for all Pods → all plans written", since(all));
    await this.untilReady([["everything", size.nodes]]);
    this.say("the same → Ready", since(all));
    await this.atRest();

    const end = performance.now();
    await this.remove([...taps, everything].map(({ metadata }) => metadata.name!));
    this.say("all TrafficControls deleted → all of them gone", since(end));
    for (const plan of this.plans.values()) assert.deepEqual([plan.isEmpty, plan.isConfirmed], [true, true]);
    await this.stopController();
  }

  async stop(): Promise<void> {
    await this.stopController();
    await Promise.all([this.plans.stop(), this.taps.stop()]);
  }

  /** Labels of Pods change, 20 a second: from the API server's answer to the plan that has it. */
  private async podEvents(taps: readonly TrafficControl[]): Promise<void> {
    const concerned = this.pods.filter((_, index) => index % Math.ceil(this.pods.length / 100) === 1);
    const latencies: number[] = [];
    const waiting = new Map<string, number>();
    this.onPlan = (_node, plan) => {
      for (const [key, from] of waiting)
        if (plan?.pods.has(key) === true) {
          latencies.push(performance.now() - from);
          waiting.delete(key);
        }
    };
    const before = this.writes;
    await this.create([
      tap("moved", { podSelector: { matchLabels: { moved: "yes" } } }, { ovsInternal: { name: "tap0" } }),
    ]);
    for (const each of concerned) {
      const { labels } = each.metadata;
      labels["app"] = "moved";
      labels["moved"] = "yes";
      const path = { resource: RESOURCES.pods, ...place(each.metadata) };
      await this.patch(path, { metadata: { labels } });
      waiting.set(`${each.metadata.namespace}/${each.metadata.name}`, performance.now());
      await sleep(50);
    }
    const moved = tap("moved", { podSelector: { matchLabels: { moved: "yes" } } }, { ovsInternal: { name: "tap0" } });
    await eventually("all plans are as the labels say", () => this.areWritten([...taps, moved]), PATIENCE);
    await this.untilReady([["moved", new Set(concerned.map(({ spec }) => spec.nodeName)).size]]);
    this.onPlan = () => undefined;
    const found = `${percentile(latencies, 50).toFixed(0)} ms, ${percentile(latencies, 99).toFixed(0)} ms`;
    this.say(`Pod event → plan seen by a watch: median, p99 of ${latencies.length}`, found);
    const writes = (this.writes - before) / concerned.length;
    this.say("the same: writes per event, all statuses included", writes.toFixed(1));
    await this.remove(["moved"]);
  }

  private async atRest(): Promise<void> {
    const isQuiet = async (): Promise<boolean> => {
      const before = this.writes;
      await sleep(QUIET_SECONDS * 1000);
      return this.writes === before;
    };
    this.say("Jobs made meanwhile", String(await this.jobs()));
    // Jobs come at the rate of a default controller-manager; what is asked here is about plans and statuses.
    await eventually("nothing is written any more", isQuiet, PATIENCE);
    this.say(`writes in ${QUIET_SECONDS} s, once all is done`, "0");
    this.say("Jobs then", String(await this.jobs()));
    this.say("resident memory, test and controller", `${(process.memoryUsage().rss / 1e6).toFixed(0)} MB`);
  }

  /** Starts the controller in this process, in place of the one before. */
  private async control(programmerMode: Environment["programmerMode"]): Promise<void> {
    const config = new KubeConfig();
    config.loadFromFile(this.cluster.kubeconfig);
    const [connection, lease] = [new Connection(config), new Connection(config)];
    const variables = { POD_NAMESPACE: OPERATOR, NODES_NAMESPACE: NODES, PROGRAMMER_IMAGE: "image:1" };
    const environment = { ...readEnvironment(variables), programmerMode, keepsCertificates: false };
    const controller = await startController(environment, {
      connect: (metrics, mayWrite, purpose): KubernetesApi =>
        purpose === "lease"
          ? leaseClient(lease, metrics)
          : this.counted(new KubernetesClient({ connection, metrics, mayWrite })),
    });
    this.stopController = async () => {
      this.stopController = () => Promise.resolve();
      await controller.stop();
      for (const each of [connection, lease]) each.close();
    };
  }

  private counted(api: KubernetesApi): KubernetesApi {
    return new Proxy(api, {
      get: (target, property) => {
        if (WRITES.has(property)) this.writes += 1;
        const method = Reflect.get(target, property) as (...args: unknown[]) => unknown;
        return method.bind(target);
      },
    });
  }

  private areWritten(taps: readonly TrafficControl[]): boolean {
    const wanted = expected(this.pods, taps);
    for (const node of new Set([...wanted.keys(), ...this.plans.keys()])) {
      const found = this.plans.get(node)?.pods ?? new Map<string, string[]>();
      if (!isEqual(found, wanted.get(node) ?? new Map<string, string[]>())) return false;
    }
    return true;
  }

  private async untilReady(wanted: [name: string, nodes: number][]): Promise<void> {
    const look = (): boolean => {
      for (const [name, nodes] of wanted) {
        const { status } = this.taps.get(name) ?? {};
        assert.equal(status?.nodes, `${nodes}/${nodes}`, name);
        const ready = status.conditions?.find(({ type }) => type === "Ready");
        assert.equal(ready?.status, "True", `${name}: ${ready?.message}`);
      }
      return true;
    };
    await eventually("TrafficControls are Ready", look, PATIENCE);
  }

  private create(taps: TrafficControl[]): Promise<void> {
    return this.createAll({ resource: TRAFFIC_CONTROL }, taps);
  }

  private async createAll(
    path: ObjectPath,
    objects: { metadata: { namespace?: string; name?: string } }[],
  ): Promise<void> {
    await sideBySide(objects, async (object) => {
      const { namespace, name } = object.metadata;
      must(await this.cluster.client.create({ ...path, namespace }, object), `Creating ${name}`);
    });
  }

  private async patch(path: ObjectPath, change: object): Promise<void> {
    must(await this.cluster.client.mergePatch(path, change), `Changing ${path.name}`);
  }

  private async remove(names: string[]): Promise<void> {
    await sideBySide(names, (name) => this.cluster.client.delete({ resource: TRAFFIC_CONTROL, name }));
    await eventually("they are gone", () => names.every((name) => this.taps.get(name) === undefined), PATIENCE);
  }

  private async jobs(): Promise<number> {
    const path = { resource: RESOURCES.jobs, namespace: NODES };
    return must(await this.cluster.client.list(path), "Counting Jobs").items.length;
  }

  private say(what: string, figure: string): void {
    this.figures.push([what, figure]);
    console.error(`      ${what}: ${figure}`);
  }
}

async function sideBySide<T>(items: readonly T[], act: (item: T) => Promise<unknown>): Promise<void> {
  const queue = items.values();
  const work = async (): Promise<void> => {
    for (const item of queue) await act(item);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
}

function planState({ spec, status, metadata }: NodeTrafficPlan): PlanState {
  const names = ({ classes, rules }: PlanSpec, number: number): string[] =>
    classes[number]!.rules.map((rule) => rules[rule]!.name).sort();
  return {
    bytes: JSON.stringify({ metadata, spec, status }).length,
    isConfirmed: status?.observedHash === spec.hash,
    isEmpty: spec.rules.length === 0,
    pods: new Map(spec.pods.map((each) => [`${each.namespace}/${each.name}`, names(spec, each.class)])),
  };
}

function place({ namespace, name }: Pod["metadata"]): { namespace: string; name: string } {
  return { namespace, name };
}

function nodesOf(name: string, plans: ReadonlyMap<string, ReadonlyMap<string, string[]>>): number {
  return [...plans.values()].filter((pods) => [...pods.values()].some((names) => names.includes(name))).length;
}

function isEqual(a: ReadonlyMap<string, string[]>, b: ReadonlyMap<string, string[]>): boolean {
  return a.size === b.size && [...a].every(([key, names]) => names.join() === b.get(key)?.join());
}

function since(began: number): string {
  return `${((performance.now() - began) / 1000).toFixed(1)} s`;
}
