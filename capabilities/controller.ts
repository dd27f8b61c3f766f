/**
 * The controller: replicas of the API feed the desired state, two work queues bring nodes and TrafficControls to it. Started by pepr.ts;
 * works in a Pod and, with KUBECONFIG, anywhere else. Every process keeps its replicas warm; only the holder of the Lease writes.
 */
import { randomUUID } from "node:crypto";
import { certificateKeeper, type CertificateKeeper } from "./admission";
import type { TrafficControl } from "./api";
import {
  DeliveryMetrics,
  Finalizer,
  JobBudget,
  NodeReconciler,
  OneShot,
  PlanWriter,
  ProgrammerPods,
  Restarts,
} from "./delivery";
import { DesiredState } from "./desired-state";
import {
  Connection,
  EngineMetrics,
  KubernetesClient,
  LeaderElection,
  logger,
  runWorkers,
  systemClock,
  WorkQueue,
  type Clock,
  type Environment,
  type KubernetesApi,
  type ReconcileResult,
} from "./engine";
import { isSameAnswer } from "./planning";
import { allOf, replicasOf, type RawTrafficControl, type ReplicaHandlers, type Replicas } from "./replicas";
import { EventRecorder, Reporter, ReportingMetrics } from "./reporting";
import { TrafficControlReconciler } from "./trafficcontrol-reconciler";

const LEASE = "ovs-traffic-control-controller";
const NODE_WORKERS = 16;
const TRAFFIC_CONTROL_WORKERS = 8;

export interface Controller {
  /** Has the TrafficControl looked at again. */
  enqueue(trafficControlName: string): void;
  /** Ends the work in hand and hands the Lease over. */
  stop(): Promise<void>;
  healthy(): boolean;
  /** True once this process knows the cluster; a standby is ready as well. */
  ready(): boolean;
  metrics(): Promise<string>;
}

export interface ControllerOptions {
  /** What to do when the Lease is lost. Nothing may be written any more; ending the process is the only sure way. */
  onLost?: () => void;
  /** How to reach the API server; each client asks its fence, if it is given one, before each write. */
  connect?: (metrics: EngineMetrics, mayWrite?: () => boolean) => KubernetesApi;
  clock?: Clock;
  /** How long watches are believed before everything is listed anew; two hours if absent. */
  relistMilliseconds?: number;
  /** Of this program, for trafficcontrol_build_info. */
  version?: string;
  /** Takes every TrafficControl for one that is being deleted (drain.ts). */
  isDraining?: boolean;
}

// Async, so that a wrong kubeconfig is a rejection like every later failure.
// eslint-disable-next-line @typescript-eslint/require-await
export async function startController(environment: Environment, options: ControllerOptions = {}): Promise<Controller> {
  const controller = new TrafficController(environment, {
    onLost: () => process.exit(1),
    connect: connectByEnvironment(),
    clock: systemClock,
    version: "unknown",
    isDraining: false,
    ...options,
  });
  controller.start();
  return controller;
}

function connectByEnvironment(): Required<ControllerOptions>["connect"] {
  const connection = Connection.fromEnvironment();
  return (metrics, mayWrite) => new KubernetesClient({ connection, metrics, mayWrite });
}

type StartOptions = ControllerOptions & Required<Omit<ControllerOptions, "relistMilliseconds">>;

class TrafficController implements Controller {
  private readonly clock: Clock;
  private readonly engineMetrics: EngineMetrics;
  private readonly log = logger("controller");
  private readonly nodeQueue: WorkQueue;
  private readonly trafficControlQueue: WorkQueue;
  private readonly election: LeaderElection;
  private readonly desired: DesiredState;
  private readonly programmerPods = new ProgrammerPods();
  private readonly replicas: Replicas;
  private readonly nodeReconciler: NodeReconciler;
  private readonly trafficControlReconciler: TrafficControlReconciler;
  private readonly keeper: CertificateKeeper;
  private readonly events: EventRecorder;
  private readonly reportingMetrics: ReportingMetrics;
  private workers: Promise<unknown> = Promise.resolve();
  private flushScheduled = false;
  private isWorking = false;
  private isLost = false;

  constructor(
    private readonly environment: Environment,
    private readonly options: StartOptions,
  ) {
    const { clock, connect, version, relistMilliseconds, isDraining } = options;
    const metrics = (this.engineMetrics = new EngineMetrics({ processMetrics: true, version }));
    this.clock = clock;
    this.nodeQueue = new WorkQueue({ name: "node", clock, metrics });
    this.trafficControlQueue = new WorkQueue({ name: "trafficcontrol", clock, metrics });
    const { podName, podNamespace, nodesNamespace, cleanupDeadlineSeconds } = environment;
    const { programmerMode, jobsInFlight, jobsPerSecond, honoursOptOut } = environment;
    const deliveryMetrics = new DeliveryMetrics(metrics);
    /** For replicas and the Lease. */
    const reader = connect(metrics);
    /** For everything else: writes only while leading. */
    const api = connect(metrics, () => this.election.isLeading());
    this.election = new LeaderElection({
      api: reader,
      namespace: podNamespace,
      name: LEASE,
      identity: `${podName}_${randomUUID()}`,
      clock,
      metrics,
      log: logger("leader-election"),
    });
    this.desired = new DesiredState(new Set([podNamespace, nodesNamespace]));
    this.replicas = replicasOf(
      { api: reader, nodesNamespace, honoursOptOut, relistMilliseconds, clock, log: logger("replicas"), isDraining },
      this.handlers(),
    );
    const { trafficControls, nodes, plans, jobs } = this.replicas;
    const plan = new PlanWriter(api, plans, clock);
    this.nodeReconciler = new NodeReconciler({
      api,
      nodes,
      plans,
      jobs,
      programmerPods: this.programmerPods,
      wantedPlan: (node, uid) => this.desired.wantedPlan(node, uid),
      plan,
      restarts: new Restarts(clock),
      budget: new JobBudget({
        inFlight: jobsInFlight,
        perSecond: jobsPerSecond,
        clock,
        metrics: deliveryMetrics,
        wake: (node) => this.nodeQueue.add(node),
      }),
      oneShot: programmerMode === "oneShot" ? new OneShot({ api, plans, nodesNamespace }) : undefined,
      clock,
      settings: environment,
      metrics: deliveryMetrics,
      onReport: (node) => this.reportOn(node),
      log: logger("delivery"),
    });
    const admit = (trafficControl: TrafficControl): void => trafficControls.admit(trafficControl as RawTrafficControl);
    const nodesUnderWay = (uid: string): string[] => plan.nodesUnderWay(uid);
    this.reportingMetrics = new ReportingMetrics(metrics, clock);
    const events = (this.events = new EventRecorder({ api, instance: podName, clock, log: logger("events") }));
    this.trafficControlReconciler = new TrafficControlReconciler({
      replicas: this.replicas,
      desired: this.desired,
      nodeReconciler: this.nodeReconciler,
      finalizer: new Finalizer({
        api,
        plans,
        nodes,
        nodesUnderWay,
        admit,
        deadlineSeconds: cleanupDeadlineSeconds,
        clock,
      }),
      reporter: new Reporter({
        api,
        events,
        metrics: this.reportingMetrics,
        asOfLastRun: programmerMode === "oneShot",
        admit,
        clock,
      }),
      events,
      cleanupDeadlineSeconds,
    });
    this.keeper = certificateKeeper(api, { namespace: podNamespace, clock, log: logger("certificates") });
  }

  start(): void {
    this.log.info({ ...this.environment }, "starting");
    const replicas = allOf(this.replicas);
    for (const replica of replicas) replica.start();
    const synced = Promise.all(replicas.map((replica) => replica.synced));
    this.election.start({
      onStartedLeading: () => {
        this.keeper.start();
        void synced.then(() => this.work());
      },
      onStoppedLeading: () => {
        this.isLost = true;
        this.log.fatal("another process may hold the Lease now; ending");
        this.options.onLost();
      },
    });
  }

  enqueue(trafficControlName: string): void {
    if (this.isWorking) this.trafficControlQueue.add(trafficControlName);
  }

  async stop(): Promise<void> {
    this.isWorking = false;
    this.nodeQueue.stop();
    this.trafficControlQueue.stop();
    await this.workers;
    await this.events.drain();
    await this.keeper.stop();
    await this.election.stop();
    await Promise.all(allOf(this.replicas).map((replica) => replica.stop()));
  }

  healthy(): boolean {
    return !this.isLost;
  }

  ready(): boolean {
    return allOf(this.replicas).every((replica) => replica.hasSynced);
  }

  async metrics(): Promise<string> {
    this.nodeQueue.sampleMetrics();
    this.trafficControlQueue.sampleMetrics();
    const { plans, trafficControls } = this.replicas;
    if (this.isWorking) this.reportingMetrics.sample(plans.values(), trafficControls);
    return this.engineMetrics.registry.metrics();
  }

  /** Starts the workers with everything there is to look at. */
  private work(): void {
    const { plans, jobs, trafficControls } = this.replicas;
    this.isWorking = true;
    this.reportingMetrics.sample(plans.values(), trafficControls);
    this.desired.takeDirty();
    // Deletions first, then what happens from now on; most of the rest is as it should be.
    for (const name of this.desired.deleting()) this.trafficControlQueue.add(name, "urgent");
    for (const nodes of [this.desired.nodes(), plans.keys()])
      for (const node of nodes) this.nodeQueue.add(node, "background");
    for (const { node } of jobs.values()) if (node !== "") this.nodeQueue.add(node, "background");
    for (const name of trafficControls.keys()) this.trafficControlQueue.add(name, "background");
    const run = (
      controller: string,
      queue: WorkQueue,
      concurrency: number,
      reconcile: (key: string) => Promise<ReconcileResult>,
    ): Promise<void> => {
      const { clock, engineMetrics: metrics } = this;
      return runWorkers({ controller, queue, concurrency, reconcile, clock, metrics, log: logger(controller) });
    };
    this.workers = Promise.all([
      run("node", this.nodeQueue, NODE_WORKERS, (name) => this.nodeReconciler.reconcile(name)),
      run("trafficcontrol", this.trafficControlQueue, TRAFFIC_CONTROL_WORKERS, (name) =>
        this.trafficControlReconciler.reconcile(name),
      ),
    ]);
  }

  private handlers(): ReplicaHandlers {
    const { desired } = this;
    return {
      onTrafficControl: (name, after) => this.onTrafficControl(name, after),
      onPod: (key, after) => this.change(() => desired.setPod(key, after)),
      onNamespace: (name, after) => this.change(() => desired.setNamespace(name, after)),
      onNode: (name) => this.onNode(name),
      onPlan: (name, before, after) => {
        if (!this.isWorking) return;
        this.nodeQueue.add(name);
        // A new spec is our own word, and whom it concerns is looked at anyway. Only the node's answer is news.
        if (!isSameAnswer(before, after)) this.reportOn(name);
        for (const deleting of desired.deleting()) this.trafficControlQueue.add(deleting, "urgent");
      },
      onJob: (node) => this.onJob(node),
      onProgrammerPod: (key, before, after) => {
        this.programmerPods.change(key, before, after);
        const job = after?.job ?? before?.job ?? "";
        const node = this.replicas.jobs.get(`${this.environment.nodesNamespace}/${job}`)?.node;
        if (node !== undefined) this.onNode(node);
      },
    };
  }

  private onTrafficControl(name: string, after: TrafficControl | undefined): void {
    const isDeletion = after?.metadata.deletionTimestamp !== undefined;
    const nodes = isDeletion ? [...this.desired.selectionOf(name).nodes.keys()] : [];
    this.change(() => this.desired.setTrafficControl(name, after));
    if (!isDeletion || !this.isWorking) return;
    // Somebody waits in front of kubectl delete.
    for (const node of nodes) this.nodeQueue.add(node, "urgent");
    this.trafficControlQueue.add(name, "urgent");
  }

  /** Something about the node itself, its plan or its programmer has changed. */
  private onNode(name: string): void {
    if (!this.isWorking) return;
    this.nodeQueue.add(name);
    this.reportOn(name);
  }

  private onJob(node: string): void {
    if (this.isWorking && node !== "") this.nodeQueue.add(node);
  }

  private reportOn(node: string): void {
    for (const name of this.desired.trafficControlsOn(node)) this.enqueue(name);
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
}
