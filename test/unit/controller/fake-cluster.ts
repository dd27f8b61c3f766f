/**
 * A fake cluster around the fake API server: Jobs get Pods, programmers confirm plans and end when they have nothing to do. Enough of the
 * other side to see the whole controller converge, in virtual time.
 */
import {
  FINALIZER,
  NODE_TRAFFIC_PLAN,
  TRAFFIC_CONTROL,
  type NodeTrafficPlan,
  type TrafficControlSpec,
} from "../../../capabilities/api";
import { startController, type Controller } from "../../../capabilities/controller";
import { drain } from "../../../capabilities/drain";
import {
  logger,
  RESOURCES,
  type Environment,
  type KubernetesApi,
  type ObjectPath,
  type Resource,
} from "../../../capabilities/engine";
import { FakeApiServer, type FakeObject } from "../engine/fake-api-server";
import { VirtualClock } from "../engine/virtual-clock";

const TICK_MS = 200;
const POD_START_MS = 1_000;

const ENVIRONMENT: Environment = {
  podName: "controller",
  podNamespace: "operator",
  nodesNamespace: "nodes",
  programmerImage: "image:1",
  lingerSeconds: 5,
  programmerMode: "resident",
  honoursOptOut: true,
  antreaNamespace: "kube-system",
  jobsInFlight: 50,
  jobsPerSecond: 10,
  metricsPort: 0,
  ovsRunDirectory: "/run/openvswitch",
  netnsDirectory: "/run/netns",
  keepsCertificates: true,
  cleanupDeadlineSeconds: 60,
  drainDeadlineSeconds: 120,
};

/** How the programmers behave. */
export interface Behaviour {
  /** Nodes whose programmer does not answer. */
  silent: Set<string>;
  /** Nodes whose programmer ends at once with this exit code. */
  crashing: Map<string, number>;
  /** Nodes whose programmer's Pod never gets a place. */
  unschedulable: Set<string>;
}

export class FakeCluster {
  readonly clock = new VirtualClock();
  readonly server = new FakeApiServer(() => this.clock.now());
  readonly behaviour: Behaviour = { silent: new Set(), crashing: new Map(), unschedulable: new Set() };
  /** The most Jobs that one node has had at a time, and Pods of programmers that ran at a time. */
  mostProgrammers = 0;
  readonly jobsCreated: string[] = [];
  /** Nodes on which a programmer has seen that nothing is wanted, and has tidied up. */
  readonly tidied = new Set<string>();
  /** What the API server's clock is behind the controller's, in milliseconds: shows in the age of new Jobs. */
  jobsBehind = 0;
  /** For tests in which events are lost. */
  relistMilliseconds: number | undefined;
  /** When each Job was first seen, by monotonic time: what the time of day does is not the kubelet's business. */
  private readonly jobSeenAt = new Map<string, number>();
  /** The most Jobs at a time whose Pod does not run yet. */
  mostStarting = 0;
  private readonly applied = new Map<string, string[]>();
  private readonly controllers: Controller[] = [];
  private readonly emptySince = new Map<string, number>();
  private readonly seenJobs = new Set<string>();

  constructor(private readonly environment: Partial<Environment> = {}) {
    this.tick();
  }

  addNode(name: string, ready = true, uid = `uid-${name}`, bootID?: string): void {
    const conditions = [{ type: "Ready", status: ready ? "True" : "False" }];
    this.server.put(at(RESOURCES.nodes, name), { metadata: { uid }, status: { conditions, nodeInfo: { bootID } } });
  }

  /** An event of the node that the controller looks at. */
  touchNode(name: string): void {
    const node = this.server.get(at(RESOURCES.nodes, name))!;
    this.server.put(at(RESOURCES.nodes, name), { status: { ...node.status, conditions: [] } });
    this.server.put(at(RESOURCES.nodes, name), { status: node.status });
  }

  /** Names of what the node taps for, in oneShot mode. */
  inForce(node: string): string[] | undefined {
    return this.applied.get(node);
  }

  addPod(name: string, node: string, labels: Record<string, string> = { app: "web" }, namespace = "default"): void {
    this.server.put(at(RESOURCES.namespaces, namespace), {});
    this.server.put(
      { ...at(RESOURCES.pods, name), namespace },
      {
        metadata: { labels },
        spec: { nodeName: node },
        status: { phase: "Running", podIPs: [{ ip: `10.244.0.${name.length}` }] },
      },
    );
  }

  addTrafficControl(name: string, spec: Partial<TrafficControlSpec> = {}, metadata: object = {}): void {
    this.server.put(at(TRAFFIC_CONTROL, name), {
      metadata: { finalizers: [FINALIZER], ...metadata },
      spec: {
        appliedTo: { podSelector: { matchLabels: { app: "web" } } },
        direction: "Both",
        action: "Mirror",
        targetPort: { vxlan: { remoteIP: "10.0.10.2" } },
        ...spec,
      },
      status: { observedGeneration: -1 },
    });
  }

  remove(resource: Resource, name: string, namespace?: string): void {
    this.server.remove({ resource, name, namespace });
  }

  /** A controller process; `kill` makes it deaf and dumb in the middle of whatever it does. */
  async start(
    podName = "controller",
    changes: Partial<Environment> = {},
  ): Promise<{ controller: Controller; kill: () => void; isLost: () => boolean }> {
    let isDead = false;
    let isLost = false;
    const controller = await startController(
      { ...ENVIRONMENT, ...this.environment, ...changes, podName },
      {
        clock: this.clock,
        onLost: () => (isLost = true),
        relistMilliseconds: this.relistMilliseconds,
        connect: (_metrics, mayWrite) => mortal(this.server.client(mayWrite, podName), () => isDead),
      },
    );
    this.controllers.push(controller);
    return { controller, kill: () => (isDead = true), isLost: () => isLost };
  }

  /** The one that was started last. */
  lastController(): Controller {
    return this.controllers.at(-1)!;
  }

  /** The drain, with a controller of its own; resolves when it is over, so advance the clock meanwhile. */
  drain(deadlineSeconds = 120): Promise<string[]> {
    return drain({
      environment: { ...ENVIRONMENT, podName: "drain" },
      deadlineSeconds,
      api: this.server.client(),
      clock: this.clock,
      log: logger("drain"),
      controller: { clock: this.clock, connect: (_metrics, mayWrite) => this.server.client(mayWrite) },
    });
  }

  plan(node: string): (NodeTrafficPlan & FakeObject) | undefined {
    return this.server.get(at(NODE_TRAFFIC_PLAN, node)) as (NodeTrafficPlan & FakeObject) | undefined;
  }

  trafficControl(name: string): FakeObject | undefined {
    return this.server.get(at(TRAFFIC_CONTROL, name));
  }

  /** What Ready says: "True Realized". */
  ready(name: string): string {
    const ready = this.readyCondition(name);
    return ready === undefined ? "" : `${ready.status} ${ready.reason}`;
  }

  readyMessage(name: string): string {
    return this.readyCondition(name)?.message ?? "";
  }

  private readyCondition(name: string): { status: string; reason: string; message: string } | undefined {
    const conditions = this.trafficControl(name)?.status?.["conditions"] as
      | { type: string; status: string; reason: string; message: string }[]
      | undefined;
    return conditions?.find(({ type }) => type === "Ready");
  }

  jobs(): FakeObject[] {
    return this.server.all({ resource: RESOURCES.jobs, namespace: ENVIRONMENT.nodesNamespace });
  }

  events(): string[] {
    return this.server
      .all({ resource: RESOURCES.events, namespace: "default" })
      .map((event) => String(event["reason"]));
  }

  /** Plans, Jobs and statuses without what depends on when and how often something was done. */
  endState(): unknown {
    const withoutTimes = (value: unknown): unknown =>
      JSON.parse(
        JSON.stringify(value, (key, field: unknown) =>
          [
            "lastTransitionTime",
            "resourceVersion",
            "creationTimestamp",
            "created",
            "uid",
            "nodeUID",
            "hash",
            "observedHash",
            "retiring",
          ].includes(key)
            ? undefined
            : field,
        ),
      );
    const specs = (objects: FakeObject[]): unknown =>
      objects.map(({ metadata, spec, status }) => ({ name: metadata.name, spec, status }));
    const trafficControls = this.server.all({ resource: TRAFFIC_CONTROL });
    return withoutTimes({
      plans: specs(this.server.all({ resource: NODE_TRAFFIC_PLAN })),
      jobs: this.jobs().map(({ metadata }) => metadata.name),
      trafficControls: trafficControls.map(({ metadata, status }) => ({
        name: metadata.name,
        finalizers: metadata.finalizers,
        status,
      })),
    });
  }

  private tick(): void {
    this.clock.after(TICK_MS, () => {
      this.step();
      this.server.flush();
      this.tick();
    });
  }

  private step(): void {
    for (const job of this.jobs()) this.runJob(job);
    for (const pod of this.server.all({ resource: RESOURCES.pods, namespace: ENVIRONMENT.nodesNamespace })) {
      const owner = {
        ...at(RESOURCES.jobs, pod.metadata.labels?.["job-name"] ?? ""),
        namespace: ENVIRONMENT.nodesNamespace,
      };
      // The garbage collector.
      if (this.server.get(owner)?.metadata.uid !== pod.metadata.labels?.["job-uid"])
        this.server.remove({ ...at(RESOURCES.pods, pod.metadata.name), namespace: ENVIRONMENT.nodesNamespace });
    }
    for (const { metadata } of this.server.all({
      resource: RESOURCES.configMaps,
      namespace: ENVIRONMENT.nodesNamespace,
    })) {
      const [owner] = metadata["ownerReferences"] as { name: string; uid: string }[];
      if (this.plan(owner!.name)?.metadata.uid !== owner!.uid)
        this.server.remove({ ...at(RESOURCES.configMaps, metadata.name), namespace: ENVIRONMENT.nodesNamespace });
    }
    this.countProgrammers();
  }

  private countProgrammers(): void {
    const perNode = new Map<unknown, number>();
    for (const { spec, status } of this.server.all({
      resource: RESOURCES.pods,
      namespace: ENVIRONMENT.nodesNamespace,
    })) {
      if (status?.["phase"] === "Running") perNode.set(spec?.["nodeName"], (perNode.get(spec?.["nodeName"]) ?? 0) + 1);
    }
    const starting = this.jobs().filter(({ status }) => status === undefined).length;
    this.mostStarting = Math.max(this.mostStarting, starting);
    this.mostProgrammers = Math.max(this.mostProgrammers, ...perNode.values());
  }

  private runJob(job: FakeObject): void {
    const node = job.metadata.annotations?.["ovs-traffic-control.dev/node-name"] ?? "";
    const { uid, name } = job.metadata;
    const namespace = ENVIRONMENT.nodesNamespace;
    if (!this.seenJobs.has(uid)) {
      this.seenJobs.add(uid);
      this.jobSeenAt.set(uid, this.clock.monotonic());
      this.jobsCreated.push(node);
      if (this.jobsBehind > 0) {
        const creationTimestamp = new Date(this.clock.now() - this.jobsBehind).toISOString();
        this.server.put({ ...at(RESOURCES.jobs, name), namespace }, { metadata: { creationTimestamp } });
      }
    }
    const podPath = { ...at(RESOURCES.pods, `${name}-pod`), namespace };
    const isOld = this.clock.monotonic() - this.jobSeenAt.get(uid)! >= POD_START_MS;
    const isFinished = job.status?.["conditions"] !== undefined;
    if (this.behaviour.unschedulable.has(node)) return;
    if (!isOld || isFinished || this.server.get(at(RESOURCES.nodes, node)) === undefined) return;
    const labels = { ...job.metadata.labels, "job-name": name, "job-uid": uid };
    const existing = this.server.get(podPath);
    if (existing !== undefined && existing.metadata.labels?.["job-uid"] !== uid) return;
    const exitCode = this.behaviour.crashing.get(node);
    if (exitCode !== undefined) {
      const terminated = { exitCode, message: `exit ${exitCode}` };
      // Evicted before there was a container.
      const containerStatuses = exitCode < 0 ? undefined : [{ state: { terminated } }];
      this.server.put(podPath, {
        metadata: { labels },
        spec: { nodeName: node },
        status: { phase: "Failed", reason: exitCode < 0 ? "Evicted" : undefined, containerStatuses },
      });
      this.server.put(
        { ...at(RESOURCES.jobs, name), namespace },
        { status: { failed: 1, conditions: [{ type: "Failed", status: "True" }] } },
      );
      return;
    }
    if (job.metadata.annotations?.["ovs-traffic-control.dev/plan-hash"] !== undefined) {
      this.applyOnce(node, job, podPath, labels);
      return;
    }
    if (job.status === undefined) this.server.put({ ...at(RESOURCES.jobs, name), namespace }, { status: { ready: 1 } });
    this.server.put(podPath, { metadata: { labels }, spec: { nodeName: node }, status: { phase: "Running" } });
    if (!this.behaviour.silent.has(node)) this.program(node, { ...at(RESOURCES.jobs, name), namespace });
  }

  /** A oneShot programmer: reads its file, acts, ends. Running for one tick, so that it is seen. */
  private applyOnce(node: string, job: FakeObject, pod: ObjectPath & { name: string }, labels: object): void {
    const path = { ...at(RESOURCES.jobs, job.metadata.name), namespace: ENVIRONMENT.nodesNamespace };
    const running = { metadata: { labels }, spec: { nodeName: node } };
    if (job.status === undefined) {
      this.server.put(pod, { ...running, status: { phase: "Running" } });
      this.server.put(path, { status: { ready: 1 } });
      return;
    }
    if (this.behaviour.silent.has(node)) return;
    const file = this.server.get({ ...path, resource: RESOURCES.configMaps })?.["data"] as { "plan.json": string };
    const { spec } = JSON.parse(file["plan.json"]) as NodeTrafficPlan;
    this.applied.set(
      node,
      spec.rules.map(({ name }) => name),
    );
    this.server.put(pod, { ...running, status: { phase: "Succeeded" } });
    this.server.put(path, { status: { succeeded: 1, conditions: [{ type: "Complete", status: "True" }] } });
  }

  private program(node: string, job: { resource: Resource; name: string; namespace: string }): void {
    const plan = this.plan(node);
    // No plan is the same as an empty one.
    const { hash, rules, pods, classes } = plan?.spec ?? { hash: "", rules: [], pods: [], classes: [] };
    if (plan !== undefined && plan.status?.observedHash !== hash) {
      this.server.put(at(NODE_TRAFFIC_PLAN, node), {
        status: {
          observedHash: hash,
          realizedPods: pods.length,
          rules: rules.map(({ name, uid, generation }, index) => ({
            name,
            uid,
            generation,
            realizedPods: pods.filter((pod) => classes[pod.class]!.rules.includes(index)).length,
            pendingPods: [],
          })),
        },
      });
      return;
    }
    if (rules.length === 0) this.tidied.add(node);
    if (rules.length > 0) this.emptySince.delete(node);
    else if (!this.emptySince.has(node)) this.emptySince.set(node, this.clock.monotonic());
    const hasLingered =
      this.clock.monotonic() - (this.emptySince.get(node) ?? Infinity) >= ENVIRONMENT.lingerSeconds * 1000;
    if (hasLingered) this.emptySince.delete(node);
    if (hasLingered) this.server.put(job, { status: { conditions: [{ type: "Complete", status: "True" }] } });
  }
}

function at(resource: Resource, name: string): { resource: Resource; name: string } {
  return { resource, name };
}

/** A client that hangs for ever once its process is dead. */
function mortal(api: KubernetesApi, isDead: () => boolean): KubernetesApi {
  return new Proxy(api, {
    get: (target, property) => {
      const method: unknown = Reflect.get(target, property);
      if (typeof method !== "function") return method;
      return async (...args: unknown[]) => {
        if (isDead()) await new Promise(() => undefined);
        const result = (await method.apply(target, args)) as unknown;
        if (isDead()) await new Promise(() => undefined);
        return result;
      };
    },
  });
}
