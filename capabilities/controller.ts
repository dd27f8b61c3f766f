/**
 * The controller: informers feed the desired state, two work queues bring nodes and TrafficControls to it. Started by pepr.ts; works in a
 * Pod and, with KUBECONFIG, anywhere else. Every replica keeps its replicas of the API warm; only the holder of the Lease writes.
 */
import { randomUUID } from "node:crypto";
import { certificateKeeper, type CertificateKeeper } from "./admission";
import { LABELS, NODE_TRAFFIC_PLAN, REASONS, TRAFFIC_CONTROL, type TrafficControl } from "./api";
import {
  DeliveryMetrics,
  Finalizer,
  hasFinalizer,
  jobFacts,
  nodeFacts,
  NodeReconciler,
  PlanWriter,
  PROGRAMMER_COMPONENT,
  programmerPodFacts,
  Restarts,
  type JobFacts,
  type NodeFacts,
  type ProgrammerPodFacts,
  type RawJob,
  type RawNode,
  type RawPlan,
  type RawProgrammerPod,
} from "./delivery";
import { DesiredState } from "./desired-state";
import {
  Connection,
  EngineMetrics,
  Informer,
  KubernetesClient,
  LeaderElection,
  logger,
  RESOURCES,
  runWorkers,
  systemClock,
  WorkQueue,
  type Environment,
  type RawObject,
  type ReconcileResult,
} from "./engine";
import { planFacts, significantPlanFacts, type PlanFacts } from "./planning";
import { EventRecorder, Reporter, ReportingMetrics, type NodeView } from "./reporting";
import {
  namespaceFacts,
  podFacts,
  type NamespaceFacts,
  type PodFacts,
  type RawNamespace,
  type RawPod,
} from "./selection";

const LEASE = "ovs-traffic-control-controller";
const NODE_WORKERS = 16;
const TRAFFIC_CONTROL_WORKERS = 8;

export interface Controller {
  /** Has the TrafficControl looked at again. */
  enqueue(trafficControlName: string): void;
  /** Ends the work in hand and hands the Lease over. */
  stop(): Promise<void>;
  healthy(): boolean;
  /** True once this replica knows the cluster; a standby is ready as well. */
  ready(): boolean;
  metrics(): Promise<string>;
}

export interface ControllerOptions {
  /** What to do when the Lease is lost. Nothing may be written any more; ending is the only sure way. */
  onLost?: () => void;
}

type RawTrafficControl = TrafficControl & RawObject;

// Async, so that a wrong kubeconfig is a rejection like every later failure.
// eslint-disable-next-line @typescript-eslint/require-await
export async function startController(environment: Environment, options: ControllerOptions = {}): Promise<Controller> {
  const controller = new TrafficController(environment, options);
  controller.start();
  return controller;
}

class TrafficController implements Controller {
  private readonly clock = systemClock;
  private readonly engineMetrics = new EngineMetrics({ processMetrics: true });
  private readonly log = logger("controller");
  private readonly connection = Connection.fromEnvironment();
  /** For informers and the Lease. */
  private readonly reader = new KubernetesClient({ connection: this.connection, metrics: this.engineMetrics });
  /** For everything else: writes only while leading. */
  private readonly api = new KubernetesClient({
    connection: this.connection,
    metrics: this.engineMetrics,
    mayWrite: () => this.election.isLeading(),
  });
  private readonly election: LeaderElection;
  private readonly desired: DesiredState;
  private readonly nodeQueue = this.queue("node");
  private readonly trafficControlQueue = this.queue("trafficcontrol");

  private readonly trafficControls: Informer<RawTrafficControl, TrafficControl>;
  private readonly pods: Informer<RawPod, PodFacts>;
  private readonly namespaces: Informer<RawNamespace, NamespaceFacts>;
  private readonly nodes: Informer<RawNode, NodeFacts>;
  private readonly plans: Informer<RawPlan, PlanFacts>;
  private readonly jobs: Informer<RawJob, JobFacts>;
  private readonly programmerPods: Informer<RawProgrammerPod, ProgrammerPodFacts>;

  private readonly nodeReconciler: NodeReconciler;
  private readonly finalizer: Finalizer;
  private readonly reporter: Reporter;
  private readonly events: EventRecorder;
  private readonly keeper: CertificateKeeper;
  private workers: Promise<unknown> = Promise.resolve();
  private flushScheduled = false;
  private isWorking = false;
  private isLost = false;

  constructor(
    private readonly environment: Environment,
    private readonly options: ControllerOptions,
  ) {
    const { clock, api, log, engineMetrics } = this;
    const { podName, podNamespace, nodesNamespace } = environment;
    this.election = new LeaderElection({
      api: this.reader,
      namespace: podNamespace,
      name: LEASE,
      identity: `${podName}_${randomUUID()}`,
      clock,
      metrics: engineMetrics,
      log: logger("leader-election"),
    });
    this.desired = new DesiredState(new Set([podNamespace, nodesNamespace]));

    const common = { api: this.reader, clock, log: logger("informer") };
    this.trafficControls = new Informer<RawTrafficControl, TrafficControl>({
      ...common,
      path: { resource: TRAFFIC_CONTROL },
      project: ({ metadata, spec, status }) => ({ metadata: { ...metadata, managedFields: undefined }, spec, status }),
      significant: ({ metadata: { uid, generation, finalizers, deletionTimestamp }, spec }) => {
        return { uid, generation, finalizers, deletionTimestamp, spec };
      },
      onChange: (_before, after, name) => this.onTrafficControl(name, after),
    });
    this.pods = new Informer({
      ...common,
      path: { resource: RESOURCES.pods },
      // What no TrafficControl can select need not be sent.
      query: { fieldSelector: "spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed" },
      project: podFacts,
      onChange: (_before, after, key) => this.change(() => this.desired.setPod(key, after)),
    });
    this.namespaces = new Informer({
      ...common,
      path: { resource: RESOURCES.namespaces },
      project: namespaceFacts,
      onChange: (_before, after, name) => this.change(() => this.desired.setNamespace(name, after)),
    });
    this.nodes = new Informer({
      ...common,
      path: { resource: RESOURCES.nodes },
      project: nodeFacts,
      onChange: (_before, _after, name) => this.onNode(name),
    });
    this.plans = new Informer<RawPlan, PlanFacts>({
      ...common,
      path: { resource: NODE_TRAFFIC_PLAN },
      project: planFacts,
      significant: significantPlanFacts,
      onChange: (_before, _after, name) => this.onPlan(name),
    });
    const ours = { labelSelector: `${LABELS.component}=${PROGRAMMER_COMPONENT}` };
    this.jobs = new Informer({
      ...common,
      path: { resource: RESOURCES.jobs, namespace: nodesNamespace },
      query: ours,
      project: jobFacts,
      onChange: (before, after) => this.onJob(after?.node ?? before?.node ?? ""),
    });
    this.programmerPods = new Informer({
      ...common,
      path: { resource: RESOURCES.pods, namespace: nodesNamespace },
      query: ours,
      project: programmerPodFacts,
      onChange: (before, after) => this.onProgrammerPod(after?.job ?? before?.job ?? ""),
    });

    const plan = new PlanWriter(api, this.plans);
    this.nodeReconciler = new NodeReconciler({
      api,
      nodes: this.nodes,
      plans: this.plans,
      jobs: this.jobs,
      programmerPods: this.programmerPods,
      wantedPlan: (node, uid) => this.desired.wantedPlan(node, uid),
      plan,
      restarts: new Restarts(clock),
      settings: environment,
      metrics: new DeliveryMetrics(engineMetrics),
      onReport: (node) => this.reportOn(node),
      log: logger("delivery"),
    });
    const admit = (trafficControl: TrafficControl): void =>
      this.trafficControls.admit(trafficControl as RawTrafficControl);
    this.finalizer = new Finalizer({
      api,
      plans: this.plans,
      nodes: this.nodes,
      nodesUnderWay: (uid) => plan.nodesUnderWay(uid),
      admit,
      deadlineSeconds: environment.cleanupDeadlineSeconds,
      clock,
    });
    this.events = new EventRecorder({ api, instance: podName, clock, log: logger("events") });
    this.reporter = new Reporter({
      api,
      events: this.events,
      metrics: new ReportingMetrics(engineMetrics),
      admit,
      clock,
    });
    this.keeper = certificateKeeper(api, { namespace: podNamespace, clock, log: logger("certificates") });
    log.info({ ...environment, server: this.connection.server.host }, "starting");
  }

  start(): void {
    for (const informer of this.informers()) informer.start();
    const synced = Promise.all(this.informers().map((informer) => informer.synced));
    this.election.start({
      onStartedLeading: () => {
        this.keeper.start();
        void synced.then(() => this.work());
      },
      onStoppedLeading: () => {
        this.isLost = true;
        this.log.fatal("another process may hold the Lease now; ending");
        (this.options.onLost ?? ((): void => process.exit(1)))();
      },
    });
  }

  enqueue(trafficControlName: string): void {
    if (this.isWorking) this.trafficControlQueue.add(trafficControlName);
  }

  async stop(): Promise<void> {
    this.nodeQueue.stop();
    this.trafficControlQueue.stop();
    await this.workers;
    await this.keeper.stop();
    await this.election.stop();
    await Promise.all(this.informers().map((informer) => informer.stop()));
    this.connection.close();
  }

  healthy(): boolean {
    return !this.isLost;
  }

  ready(): boolean {
    return this.informers().every((informer) => informer.hasSynced);
  }

  async metrics(): Promise<string> {
    this.nodeQueue.sampleMetrics();
    this.trafficControlQueue.sampleMetrics();
    return this.engineMetrics.registry.metrics();
  }

  /** Starts the workers with everything there is to look at. */
  private work(): void {
    this.isWorking = true;
    this.desired.takeDirty();
    for (const names of [this.desired.nodes(), this.plans.keys()]) for (const name of names) this.nodeQueue.add(name);
    for (const { node } of this.jobs.values()) if (node !== "") this.nodeQueue.add(node);
    for (const name of this.trafficControls.keys()) this.trafficControlQueue.add(name);
    const common = { clock: this.clock, metrics: this.engineMetrics };
    this.workers = Promise.all([
      runWorkers({
        ...common,
        controller: "node",
        queue: this.nodeQueue,
        reconcile: (name) => this.nodeReconciler.reconcile(name),
        concurrency: NODE_WORKERS,
        log: logger("node"),
      }),
      runWorkers({
        ...common,
        controller: "trafficcontrol",
        queue: this.trafficControlQueue,
        reconcile: (name) => this.reconcileTrafficControl(name),
        concurrency: TRAFFIC_CONTROL_WORKERS,
        log: logger("trafficcontrol"),
      }),
    ]);
  }

  private async reconcileTrafficControl(name: string): Promise<ReconcileResult> {
    const trafficControl = this.trafficControls.get(name);
    if (trafficControl === undefined) {
      this.reporter.forget(name);
      return {};
    }
    const isDeleting = trafficControl.metadata.deletionTimestamp !== undefined;
    if (isDeleting) return hasFinalizer(trafficControl) ? this.cleanUp(trafficControl) : {};
    if (!hasFinalizer(trafficControl)) {
      // Its own write brings it back here, and its nodes into their queue.
      await this.finalizer.add(trafficControl);
      return {};
    }
    const selection = this.desired.selectionOf(name);
    return this.reporter.report(trafficControl, {
      nodes: [...selection.nodes].flatMap(([node, pods]) => this.viewOf(node, pods)),
      conflict: this.desired.conflictOf(trafficControl),
      collectors: selection.collectors,
    });
  }

  private async cleanUp(trafficControl: TrafficControl): Promise<ReconcileResult> {
    const cleanup = await this.finalizer.release(trafficControl);
    const record = (type: "Normal" | "Warning", reason: string, note: string): void =>
      this.events.record(trafficControl, { type, reason, action: "Cleanup", note });
    switch (cleanup.state) {
      case "waiting": {
        const nodes = `${cleanup.nodes.length} ${cleanup.nodes.length === 1 ? "node" : "nodes"}`;
        if (cleanup.isNew) record("Normal", REASONS.cleanupStarted, `Removing the taps from ${nodes}.`);
        return { requeueAfterMilliseconds: cleanup.milliseconds };
      }
      case "completed":
        record("Normal", REASONS.cleanupCompleted, "No node taps for this TrafficControl any more.");
        return {};
      case "abandoned": {
        const nodes = `${cleanup.nodes.slice(0, 5).join(", ")}${cleanup.nodes.length > 5 ? "…" : ""}`;
        const seconds = this.environment.cleanupDeadlineSeconds;
        const note = `Not confirmed within ${seconds} s by ${nodes}; taps there go when the node answers again.`;
        record("Warning", REASONS.cleanupAbandoned, note);
        return {};
      }
    }
  }

  /** Empty for a node that is gone: its Pods will be, too. */
  private viewOf(name: string, pods: number): NodeView[] {
    const node = this.nodes.get(name);
    if (node === undefined) return [];
    const trouble = this.nodeReconciler.troubleOf(name);
    const excess = this.nodeReconciler.excessOf(name);
    return [{ node: name, ready: node.ready, pods, plan: this.plans.get(name), trouble, excess }];
  }

  private onTrafficControl(name: string, after: TrafficControl | undefined): void {
    this.change(() => this.desired.setTrafficControl(name, after));
  }

  private onNode(name: string): void {
    if (!this.isWorking) return;
    this.nodeQueue.add(name);
    this.reportOn(name);
  }

  private onPlan(name: string): void {
    if (!this.isWorking) return;
    this.nodeQueue.add(name);
    this.reportOn(name);
    for (const deleting of this.desired.deleting()) this.trafficControlQueue.add(deleting);
  }

  private onJob(node: string): void {
    if (this.isWorking && node !== "") this.nodeQueue.add(node);
  }

  private onProgrammerPod(job: string): void {
    const node = this.jobs.get(`${this.environment.nodesNamespace}/${job}`)?.node;
    if (node === undefined || !this.isWorking) return;
    this.nodeQueue.add(node);
    this.reportOn(node);
  }

  private reportOn(node: string): void {
    if (!this.isWorking) return;
    for (const name of this.desired.trafficControlsOn(node)) this.trafficControlQueue.add(name);
  }

  /** Changes the desired state; what became dirty is queued once all events of this turn of the event loop are in. */
  private change(apply: () => void): void {
    apply();
    if (this.flushScheduled || !this.isWorking) return;
    this.flushScheduled = true;
    setImmediate(() => {
      this.flushScheduled = false;
      const { nodes, trafficControls } = this.desired.takeDirty();
      for (const node of nodes) this.nodeQueue.add(node);
      for (const name of trafficControls) this.trafficControlQueue.add(name);
    });
  }

  private informers(): Informer<never, unknown>[] {
    const { trafficControls, pods, namespaces, nodes, plans, jobs, programmerPods } = this;
    return [trafficControls, pods, namespaces, nodes, plans, jobs, programmerPods] as Informer<never, unknown>[];
  }

  private queue(name: string): WorkQueue {
    return new WorkQueue({ name, clock: this.clock, metrics: this.engineMetrics });
  }
}
