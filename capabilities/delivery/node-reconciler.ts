/** Brings one node's plan and Job to what they should be. Called by the controller for each dirty node; level-triggered. */
import type { PlanSpec } from "../api";
import { must, RESOURCES, type Informer, type KubernetesApi, type Logger, type ReconcileResult } from "../engine";
import { excess, isConfirmed, isEmpty, type PlanFacts } from "../planning";
import { decideJob } from "./decide";
import type { JobFacts, NodeFacts, ProgrammerPodFacts, RawJob } from "./facts";
import { buildJob, jobName, templateHash, type JobSettings } from "./job";
import type { DeliveryMetrics } from "./metrics";
import { complaintOf, outcomeOf, type Outcome } from "./outcome";
import type { PlanWriter, RawPlan } from "./plan-writer";
import type { ProgrammerPods } from "./programmer-pods";
import type { Restarts } from "./restarts";

export interface NodeReconcilerOptions {
  api: KubernetesApi;
  nodes: { get(name: string): NodeFacts | undefined };
  plans: Informer<RawPlan, PlanFacts>;
  jobs: Informer<RawJob, JobFacts>;
  programmerPods: ProgrammerPods;
  /** The plan that the node should have, from what is selected there now. */
  wantedPlan: (node: string, nodeUID: string) => PlanSpec;
  plan: PlanWriter;
  restarts: Restarts;
  settings: JobSettings;
  metrics: DeliveryMetrics;
  /** Called when something that no watch event tells has changed what TrafficControls of this node have to say. */
  onReport: (node: string) => void;
  log: Logger;
}

/** Why a node is not programmed, as far as the controller can tell. */
export interface NodeTrouble extends Outcome {
  failures: number;
}

export class NodeReconciler {
  private readonly tooLarge = new Map<string, string>();

  constructor(private readonly options: NodeReconcilerOptions) {}

  async reconcile(name: string): Promise<ReconcileResult> {
    const node = this.options.nodes.get(name);
    const existing = this.options.plans.get(name);
    if (node === undefined) {
      await Promise.all([existing && this.options.plan.delete(existing), this.reconcileJob(name, undefined, false)]);
      this.options.restarts.forget(name);
      this.tooLarge.delete(name);
      return {};
    }
    const wanted = this.options.wantedPlan(name, node.uid);
    if (existing !== undefined && isConfirmed(existing)) this.options.restarts.succeeded(name);
    if (this.isOver(wanted, existing, name)) {
      await Promise.all([existing && this.options.plan.delete(existing), this.reconcileJob(name, node, false)]);
      return {};
    }
    // Side by side: the Job's Pod takes much longer to start than the plan to be written.
    const [, job] = await Promise.all([this.reconcilePlan(name, wanted), this.reconcileJob(name, node, true, wanted)]);
    return job;
  }

  /** What keeps the node from being programmed, for the reporters. */
  troubleOf(node: string): NodeTrouble | undefined {
    const failure = this.options.restarts.failure(node);
    if (failure !== undefined) return { ...failure.outcome, failures: failure.failures };
    const complaint = complaintOf(this.podOf(node));
    return complaint && { ...complaint, failures: 0 };
  }

  /** Why the node's plan cannot be written, as a sentence. */
  excessOf(node: string): string | undefined {
    return this.tooLarge.get(node);
  }

  /** Nothing is wanted, and the node has confirmed that nothing is there, or has never been asked for anything. */
  private isOver(wanted: PlanSpec, existing: PlanFacts | undefined, node: string): boolean {
    if (!isEmpty(wanted)) return false;
    if (existing === undefined) return true;
    const job = this.jobOf(node);
    const isLingering = job !== undefined && job.state === "active";
    return existing.hash === wanted.hash && isConfirmed(existing) && !isLingering;
  }

  private async reconcilePlan(node: string, wanted: PlanSpec): Promise<void> {
    const problem = excess(wanted);
    if (problem !== this.tooLarge.get(node)) {
      if (problem === undefined) this.tooLarge.delete(node);
      else this.tooLarge.set(node, problem);
      this.options.onReport(node);
    }
    if (problem === undefined) await this.options.plan.write(node, wanted);
  }

  private async reconcileJob(
    name: string,
    node: NodeFacts | undefined,
    isActive: boolean,
    plan?: PlanSpec,
  ): Promise<ReconcileResult> {
    const { restarts, settings, log } = this.options;
    const job = this.jobOf(name);
    if (job !== undefined && job.state !== "active") this.recordOutcome(name, job);
    const existing = this.options.plans.get(name);
    const isSettled = plan !== undefined && isEmpty(plan) && existing?.hash === plan.hash && isConfirmed(existing);
    const decision = decideJob({
      node,
      wanted: isActive && !isSettled,
      job,
      // Costs more than all the rest, and matters only for a Job that is there.
      templateHash: node === undefined || job === undefined ? "" : templateHash(node, settings),
      backoffMilliseconds: restarts.remaining(name, plan?.hash),
    });
    switch (decision.action) {
      case "none":
        return {};
      case "wait":
        return { requeueAfterMilliseconds: decision.milliseconds };
      case "create":
        await this.createJob(node!);
        return {};
      case "delete":
        log.info({ node: name, job: job!.name, why: decision.why }, "deleting the Job");
        await this.deleteJob(job!, decision.propagationPolicy);
        return {};
    }
  }

  private recordOutcome(node: string, job: JobFacts): void {
    const outcome = outcomeOf(job, this.podOf(node));
    if (!this.options.restarts.finished(node, job.uid, outcome, this.options.plans.get(node)?.hash)) return;
    this.options.metrics.jobs.inc({ result: outcome.result });
    this.options.log.info({ node, job: job.name, ...outcome }, "the node programmer has ended");
    this.options.onReport(node);
  }

  private async createJob(node: NodeFacts): Promise<void> {
    const job = buildJob(node, this.options.settings);
    const { namespace } = job.metadata;
    const created = await this.options.api.create<RawJob>({ resource: RESOURCES.jobs, namespace }, job);
    // Somebody was faster, or an earlier attempt has got through without our knowing. The informer will show it.
    if (!created.ok && created.code === 409) return;
    this.options.jobs.admit(must(created, `Creating the Job ${job.metadata.name} for ${node.name}`));
    this.options.restarts.started(node.name);
  }

  private async deleteJob(job: JobFacts, propagationPolicy: "Foreground" | "Background"): Promise<void> {
    const namespace = this.options.settings.nodesNamespace;
    const path = { resource: RESOURCES.jobs, namespace, name: job.name };
    const deleted = await this.options.api.delete(path, { propagationPolicy, preconditions: { uid: job.uid } });
    if (!deleted.ok && deleted.code !== 404 && deleted.code !== 409) must(deleted, `Deleting the Job ${job.name}`);
  }

  private jobOf(node: string): JobFacts | undefined {
    return this.options.jobs.get(`${this.options.settings.nodesNamespace}/${jobName(node)}`);
  }

  /** The latest Pod of the node's Job. */
  private podOf(node: string): ProgrammerPodFacts | undefined {
    return this.options.programmerPods.latestOf(jobName(node));
  }
}
