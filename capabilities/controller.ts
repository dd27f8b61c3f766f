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
  InForce,
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
  leaseClient,
  logger,
  runWorkers,
  systemClock,
  Turns,
  WorkQueue,
  type Clock,
  type Environment,
  type KubernetesApi,
  type ReconcileResult,
} from "./engine";
import { newsOf, type News, type PlanFacts } from "./planning";
import { allOf, replicasOf, startAll, type RawTrafficControl, type ReplicaHandlers, type Replicas } from "./replicas";
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
  /**
   * How to reach the API server; each client asks its fence, if it is given one, before each write. The Lease's has connections of its
   * own, so that its renewal never waits for others'.
   */
  connect?: (metrics: EngineMetrics, mayWrite?: () => boolean, purpose?: "lease") => KubernetesApi;
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
  return (metrics, mayWrite, purpose) =>
    purpose === "lease"
      ? leaseClient(Connection.fromEnvironment(), metrics)
      : new KubernetesClient({ connection, metrics, mayWrite });
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
  private readonly inForce = new InForce();
  private readonly reporter: Reporter;
  /** Nodes that have not had their turn since the start. What TrafficControls have to say is worth looking at after all of them have. */
  private readonly unvisited = new Set<string>();
  private readonly turns: Turns;
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
    this.turns = new Turns(clock);
    this.nodeQueue = new WorkQueue({ name: "node", clock, metrics });
    this.trafficControlQueue = new WorkQueue({ name: "trafficcontrol", clock, metrics });
    const { podName, podNamespace, nodesNamespace, antreaNamespace, cleanupDeadlineSeconds } = environment;
    const { programmerMode, jobsInFlight, jobsPerSecond, honoursOptOut } = environment;
    const deliveryMetrics = new DeliveryMetrics(metrics);
    /** For replicas. */
    const reader = connect(metrics);
    /** For everything else: writes only while leading. */
    const api = connect(metrics, () => this.election.isLeading());
    this.election = new LeaderElection({
      api: connect(metrics, undefined, "lease"),
      namespace: podNamespace,
      name: LEASE,
      identity: `${podName}_${randomUUID()}`,
      clock,
      metrics,
      log: logger("leader-election"),
    });
    this.desired = new DesiredState(new Set([podNamespace, nodesNamespace]));
    this.replicas = replicasOf(
      {
        ...{ api: reader, nodesNamespace, antreaNamespace, honoursOptOut, relistMilliseconds, clock, isDraining },
        log: logger("replicas"),
      },
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
      forgetNode: (node) => this.desired.forgetNode(node),
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
    this.reporter = new Reporter({
      api,
      events,
      metrics: this.reportingMetrics,
      asOfLastRun: programmerMode === "oneShot",
      admit,
      clock,
    });
    this.trafficControlReconciler = new TrafficControlReconciler({
      replicas: this.replicas,
      desired: this.desired,
      antreaNamespace,
      nodeReconciler: this.nodeReconciler,
      finalizer: new Finalizer({
        api,
        inForce: this.inForce,
        nodes,
        nodesUnderWay,
        admit,
        deadlineSeconds: cleanupDeadlineSeconds,
        clock,
      }),
      reporter: this.reporter,
      events,
      cleanupDeadlineSeconds,
    });
    this.keeper = certificateKeeper(api, { namespace: podNamespace, clock, log: logger("certificates") });
  }

  start(): void {
    this.log.info({ ...this.environment }, "starting");
    startAll(this.replicas);
    const synced = Promise.all(allOf(this.replicas).map((replica) => replica.synced));
    this.election.start({
      onStartedLeading: () => {
        if (this.environment.keepsCertificates) this.keeper.start();
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
    for (const nodes of [this.desired.nodes(), plans.keys()]) for (const node of nodes) this.unvisited.add(node);
    for (const { node } of jobs.values()) if (node !== "") this.unvisited.add(node);
    for (const node of this.unvisited) this.nodeQueue.add(node, "background");
    if (this.unvisited.size === 0) this.visitTrafficControls();
    const run = (
      controller: string,
      queue: WorkQueue,
      concurrency: number,
      reconcile: (key: string) => Promise<ReconcileResult>,
    ): Promise<void> => {
      const { turns, clock, engineMetrics: metrics } = this;
      return runWorkers({ controller, queue, concurrency, reconcile, turns, clock, metrics, log: logger(controller) });
    };
    this.workers = Promise.all([
      run("node", this.nodeQueue, NODE_WORKERS, (name) => this.reconcileNode(name)),
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
      onPlan: (name, before, after) => this.onPlan(name, before, after),
      onJob: (node) => this.onJob(node),
      onProgrammerPod: (key, before, after) => {
        this.programmerPods.change(key, before, after);
        const job = after?.job ?? before?.job ?? "";
        const node = this.replicas.jobs.get(`${this.environment.nodesNamespace}/${job}`)?.node;
        if (node !== undefined) this.onNode(node);
      },
      onAntrea: (after) => this.onAntrea(after?.servesTrafficControl === true),
      onDefinition: (after) => this.onDefinition(after?.isForeign === true),
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

  private onPlan(node: string, before: PlanFacts | undefined, after: PlanFacts | undefined): void {
    const gone = this.inForce.change(before, after);
    if (!this.isWorking) return;
    this.nodeQueue.add(node);
    this.tell(node, newsOf(before, after));
    if (gone.size === 0) return;
    for (const name of this.desired.deleting())
      if (gone.has(this.replicas.trafficControls.get(name)?.metadata.uid ?? ""))
        this.trafficControlQueue.add(name, "urgent");
  }

  /** Something about the node itself, its plan or its programmer has changed. */
  private onNode(name: string): void {
    if (!this.isWorking) return;
    this.nodeQueue.add(name);
    this.reportOn(name);
  }

  private onAntrea(servesTrafficControl: boolean): void {
    if (servesTrafficControl) this.log.warn("Antrea's agents act on TrafficControls: nothing is done beside them");
    else this.log.info("Antrea's agents do not act on TrafficControls");
    this.change(() => this.desired.standDown(servesTrafficControl));
    this.reportingMetrics.setStoodDown(servesTrafficControl);
  }

  private onDefinition(isForeign: boolean): void {
    if (isForeign) this.log.warn("the CRD of TrafficControls is not ours and has no status: none is written");
    this.reporter.withoutStatus(isForeign);
    this.reportingMetrics.setForeign(isForeign);
    if (this.isWorking) this.visitTrafficControls();
  }

  private onJob(node: string): void {
    if (this.isWorking && node !== "") this.nodeQueue.add(node);
  }

  private reportOn(node: string): void {
    for (const name of this.desired.trafficControlsOn(node)) this.report(name);
  }

  private tell(node: string, { all, names, waiting }: News): void {
    if (all) {
      this.reportOn(node);
      return;
    }
    for (const name of names) this.report(name);
    if (waiting) for (const name of this.reporter.waitingFor(node)) this.report(name);
  }

  /** Has the TrafficControl's status looked at, as soon as another one could be written. */
  private report(name: string): void {
    if (this.isWorking && this.unvisited.size === 0)
      this.trafficControlQueue.addAfter(name, this.reporter.restOf(name));
  }

  private async reconcileNode(name: string): Promise<ReconcileResult> {
    try {
      return await this.nodeReconciler.reconcile(name);
    } finally {
      if (this.unvisited.delete(name) && this.unvisited.size === 0) this.visitTrafficControls();
    }
  }

  private visitTrafficControls(): void {
    for (const name of this.replicas.trafficControls.keys()) this.trafficControlQueue.add(name, "background");
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
