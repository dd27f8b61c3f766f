/** Brings one node's plan and Job to what they should be. Called by the controller for each dirty node; level-triggered. */
import { isDeepStrictEqual } from "node:util";
import {
  must,
  RESOURCES,
  type Clock,
  type Informer,
  type KubernetesApi,
  type Logger,
  type ReconcileResult,
} from "../engine";
import { boundTo, isConfirmed, isEmpty, type Plan, type PlanFacts } from "../planning";
import { decideJob } from "./decide";
import type { JobFacts, NodeFacts, ProgrammerPodFacts, RawJob } from "./facts";
import type { JobBudget } from "./job-budget";
import { buildJob, jobName, templateHash, type JobSettings } from "./job";
import type { DeliveryMetrics } from "./metrics";
import { complaintOf, outcomeOf, refusalOf, untilRefused, type Outcome } from "./outcome";
import type { OneShot } from "./one-shot";
import type { PlanWriter, RawPlan } from "./plan-writer";
import type { ProgrammerPods } from "./programmer-pods";
import { untilRenewal } from "./renewal";
import type { Restarts } from "./restarts";

export interface NodeReconcilerOptions {
  api: KubernetesApi;
  nodes: { get(name: string): NodeFacts | undefined };
  plans: Informer<RawPlan, PlanFacts>;
  jobs: Informer<RawJob, JobFacts>;
  programmerPods: ProgrammerPods;
  /** The plan that the node should have, from what is selected there now. */
  wantedPlan: (node: string, nodeUID: string) => Plan;
  /** The node has gone. */
  forgetNode: (node: string) => void;
  plan: PlanWriter;
  restarts: Restarts;
  budget: JobBudget;
  /** Only in oneShot mode. */
  oneShot?: OneShot;
  clock: Clock;
  settings: JobSettings;
  metrics: DeliveryMetrics;
  /** Called when something that no watch event tells has changed what TrafficControls of this node have to say. */
  onReport: (node: string) => void;
  log: Logger;
}

const LOOK_AGAIN_MS = 1_000;

/** Why a node is not programmed, as far as the controller can tell. */
export interface NodeTrouble extends Outcome {
  failures: number;
}

export class NodeReconciler {
  /** Nodes on whose plans there is no room for some TrafficControls. */
  private readonly tooLarge = new Map<string, NonNullable<Plan["leftOut"]>>();
  /** What the nodes were last seen to run since. */
  private readonly boots = new Map<string, string>();

  /** Of the Jobs that the nodes would get now: asked for in every turn. */
  private readonly templates = new Map<string, { uid: string; hash: string }>();

  constructor(private readonly options: NodeReconcilerOptions) {}

  async reconcile(name: string): Promise<ReconcileResult> {
    const node = this.options.nodes.get(name);
    const existing = this.options.plans.get(name);
    if (node === undefined) {
      // Its taps stay: it may be back under its name in a moment, and a machine that has left for good is none of ours. A programmer that
      // saw its plan go would take them away, so the plan outlives it; the Job's DELETED event brings us back.
      const isProgrammed = this.jobOf(name) !== undefined;
      await this.reconcileJob(name, undefined, false);
      if (isProgrammed) return {};
      if (existing !== undefined) await this.options.plan.delete(existing);
      this.options.restarts.forget(name);
      this.options.forgetNode(name);
      this.tooLarge.delete(name);
      this.boots.delete(name);
      this.templates.delete(name);
      return {};
    }
    const wanted = boundTo(node.bootID, this.options.wantedPlan(name, node.uid));
    this.noteExcess(name, wanted);
    if (existing !== undefined && isConfirmed(existing)) this.options.restarts.succeeded(name);
    if (this.isOver(wanted, existing, name)) {
      await Promise.all([existing && this.options.plan.delete(existing), this.reconcileJob(name, node, false)]);
      return {};
    }
    const before = this.boots.get(name);
    this.boots.set(name, node.bootID);
    if (before !== undefined && before !== node.bootID) {
      await this.writePlan(name, wanted);
      // Nobody has changed a TrafficControl or a Pod: only now does what they say about this node depend on another confirmation.
      this.options.onReport(name);
    }
    if (this.options.oneShot !== undefined) {
      await this.writePlan(name, wanted);
      return this.reconcileJob(name, node, true, wanted);
    }
    // Side by side: the Job's Pod takes much longer to start than the plan to be written.
    const [, job] = await Promise.all([this.writePlan(name, wanted), this.reconcileJob(name, node, true, wanted)]);
    return job;
  }

  /** What keeps the node from being programmed, for the reporters. */
  troubleOf(node: string): NodeTrouble | undefined {
    const failure = this.options.restarts.failure(node);
    if (failure !== undefined) return { ...failure.outcome, failures: failure.failures };
    const job = this.jobOf(node);
    const complaint =
      job !== undefined && this.untilNoPodIsNews(node, job) <= 0
        ? refusalOf(job, this.options.settings.nodesNamespace)
        : complaintOf(this.podOf(node));
    return complaint && { ...complaint, failures: 0 };
  }

  /** Milliseconds; Infinity unless the Job is waiting for its Pod. */
  private untilNoPodIsNews(node: string, job: JobFacts): number {
    const isWaiting = job.state === "active" && !job.deleting && !job.started && this.podOf(node) === undefined;
    // Whichever is less: our clock may be ahead of the API server's.
    return isWaiting ? untilRefused(Math.min(this.ageOf(job), this.options.restarts.sinceStart(node))) : Infinity;
  }

  /** Why there is no room for the TrafficControl in the node's plan, as a sentence. */
  excessOf(node: string, uid: string): string | undefined {
    const leftOut = this.tooLarge.get(node);
    return leftOut?.uids.has(uid) === true ? leftOut.message : undefined;
  }

  /** Nothing is wanted, and the node has confirmed that nothing is there, or has never been asked for anything. */
  private isOver(wanted: Plan, existing: PlanFacts | undefined, node: string): boolean {
    if (!isEmpty(wanted) || isHopeless(wanted)) return false;
    if (existing === undefined) return true;
    const job = this.jobOf(node);
    const isLingering = job !== undefined && job.state === "active";
    return existing.hash === wanted.hash && isConfirmed(existing) && !isLingering;
  }

  private async writePlan(node: string, wanted: Plan): Promise<void> {
    if (!isHopeless(wanted)) await this.options.plan.write(node, wanted);
  }

  /** Remembers for whom there is no room, and has it said. */
  private noteExcess(node: string, { leftOut }: Plan): void {
    if (isDeepStrictEqual(leftOut, this.tooLarge.get(node))) return;
    if (leftOut === undefined) this.tooLarge.delete(node);
    else this.tooLarge.set(node, leftOut);
    this.options.onReport(node);
  }

  private async reconcileJob(
    name: string,
    node: NodeFacts | undefined,
    isActive: boolean,
    plan?: Plan,
  ): Promise<ReconcileResult> {
    const { restarts, log, budget, oneShot } = this.options;
    const job = this.jobOf(name);
    if (job !== undefined && job.state !== "active") {
      this.recordOutcome(name, job);
      const isCredit = job.state === "succeeded" && plan !== undefined && job.planHash === plan.hash;
      if (oneShot !== undefined && isCredit && this.hasPlan(name, plan)) await oneShot.confirm(name, plan);
    }
    const existing = this.options.plans.get(name);
    const isConfirmedNow = plan !== undefined && existing?.hash === plan.hash && isConfirmed(existing);
    // A resident programmer stays until its plan is empty, one that runs once until its plan is confirmed.
    const isSettled = isConfirmedNow && (oneShot !== undefined || isEmpty(plan));
    const renewal =
      job === undefined || oneShot !== undefined
        ? Infinity
        : untilRenewal(job.uid, this.ageOf(job), restarts.sinceStart(name));
    const isKept = node === undefined || job === undefined || oneShot !== undefined;
    const decision = decideJob({
      node,
      wanted: isActive && !isSettled,
      job,
      templateHash: isKept ? (job?.templateHash ?? "") : this.templateHashOf(node),
      isOld: renewal <= 0,
      isOtherMode: job !== undefined && (job.planHash === undefined) !== (oneShot === undefined),
      backoffMilliseconds: restarts.remaining(name, plan?.hash),
    });
    // The place of a Job that is about to be replaced is its successor's.
    if (decision.action !== "replace") this.watchBudget(name, node, job, decision.action === "create");
    switch (decision.action) {
      case "none": {
        const untilNews = job === undefined ? Infinity : this.untilNoPodIsNews(name, job);
        if (untilNews <= 0) this.options.onReport(name);
        else if (untilNews < Infinity) return { requeueAfterMilliseconds: untilNews };
        const isRenewed = job?.state === "active" && !job.deleting && renewal !== Infinity;
        return isRenewed ? { requeueAfterMilliseconds: Math.max(1_000, renewal) } : {};
      }
      case "wait":
        return { requeueAfterMilliseconds: decision.milliseconds };
      case "create": {
        // Its plan could not be written: there is nothing that the Job could apply.
        if (oneShot !== undefined && (plan === undefined || !this.hasPlan(name, plan))) return {};
        if (!budget.take(name)) return {};
        if (oneShot !== undefined) await oneShot.provide(name, plan!);
        return this.createJob(node!, oneShot === undefined ? undefined : plan!.hash);
      }
      case "replace": {
        if (!budget.take(name)) return {};
        log.info({ node: name, job: job!.name, why: decision.why }, "replacing the Job");
        await this.deleteJob(job!, "Foreground");
        return {};
      }
      case "delete":
        log.info({ node: name, job: job!.name, why: decision.why }, "deleting the Job");
        await this.deleteJob(job!, decision.propagationPolicy);
        return {};
    }
  }

  /** Whether the node's plan object says what is wanted: its write may have failed. */
  private hasPlan(node: string, wanted: Plan): boolean {
    return this.options.plans.get(node)?.hash === wanted.hash;
  }

  private templateHashOf(node: NodeFacts): string {
    const known = this.templates.get(node.name);
    if (known?.uid === node.uid) return known.hash;
    const hash = templateHash(node, this.options.settings);
    this.templates.set(node.name, { uid: node.uid, hash });
    return hash;
  }

  private ageOf({ createdAt }: JobFacts): number {
    return this.options.clock.now() - (Date.parse(createdAt) || Infinity);
  }

  /** Gives back the node's place in the budget, or keeps it, as the Job that is there says. */
  private watchBudget(name: string, node: NodeFacts | undefined, job: JobFacts | undefined, isNext: boolean): void {
    const { budget, oneShot } = this.options;
    // A node that does not answer does not start anything, and its place would be lost to the others.
    if (node?.ready !== true) budget.release(name);
    else if (job === undefined) {
      // It may have waited for a Job that nobody wants any more.
      if (!isNext) budget.release(name);
    } else if (job.deleting) return;
    else if (job.state !== "active" || (job.started && oneShot === undefined)) budget.release(name);
    else budget.adopt(name);
  }

  private recordOutcome(node: string, job: JobFacts): void {
    const outcome = outcomeOf(job, this.podOf(node));
    if (!this.options.restarts.finished(node, job.uid, outcome, this.options.plans.get(node)?.hash)) return;
    this.options.metrics.jobs.inc({ result: outcome.result });
    this.options.log.info({ node, job: job.name, ...outcome }, "the node programmer has ended");
    this.options.onReport(node);
  }

  private async createJob(node: NodeFacts, planHash: string | undefined): Promise<ReconcileResult> {
    const job = buildJob(node, this.options.settings, planHash);
    const { namespace } = job.metadata;
    const created = await this.options.api.create<RawJob>({ resource: RESOURCES.jobs, namespace }, job);
    // Somebody was faster, or an earlier attempt has got through without our knowing. The informer will show it, or has already.
    if (!created.ok && created.code === 409) return { requeueAfterMilliseconds: LOOK_AGAIN_MS };
    this.options.jobs.admit(must(created, `Creating the Job ${job.metadata.name} for ${node.name}`));
    this.options.metrics.jobsCreated.inc();
    this.options.restarts.started(node.name);
    return {};
  }

  private async deleteJob(job: JobFacts, propagationPolicy: "Foreground" | "Background"): Promise<void> {
    const namespace = this.options.settings.nodesNamespace;
    const path = { resource: RESOURCES.jobs, namespace, name: job.name };
    const deleted = await this.options.api.delete(path, { propagationPolicy, preconditions: { uid: job.uid } });
    // 409 as well is tried again: no event follows a deletion that was refused.
    if (!deleted.ok && deleted.code !== 404) must(deleted, `Deleting the Job ${job.name}`);
  }

  private jobOf(node: string): JobFacts | undefined {
    return this.options.jobs.get(`${this.options.settings.nodesNamespace}/${jobName(node)}`);
  }

  /** The latest Pod of the node's Job. */
  private podOf(node: string): ProgrammerPodFacts | undefined {
    return this.options.programmerPods.latestOf(jobName(node));
  }
}

/** Not even the oldest TrafficControl has room: what was in force before is better than nothing. */
function isHopeless(wanted: Plan): boolean {
  return isEmpty(wanted) && wanted.leftOut !== undefined;
}
