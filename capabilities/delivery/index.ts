/** One NodeTrafficPlan and one Job per node that needs them, and the finalizer that waits for both. */
export {
  jobFacts,
  nodeFacts,
  programmerPodFacts,
  type JobFacts,
  type NodeFacts,
  type ProgrammerPodFacts,
  type RawJob,
  type RawNode,
  type RawProgrammerPod,
} from "./facts";
export { decideJob, type JobDecision, type JobSituation } from "./decide";
export { JobBudget } from "./job-budget";
export { Finalizer, hasFinalizer, type Cleanup } from "./finalizer";
export { InForce } from "./in-force";
export { buildJob, jobName, PROGRAMMER_COMPONENT, templateHash, type Job, type JobSettings } from "./job";
export { DeliveryMetrics } from "./metrics";
export { NodeReconciler, type NodeReconcilerOptions, type NodeTrouble } from "./node-reconciler";
export { outcomeOf, retryDelay, type Outcome } from "./outcome";
export { OneShot } from "./one-shot";
export { renewalAge } from "./renewal";
export { PlanWriter, type RawPlan } from "./plan-writer";
export { ProgrammerPods } from "./programmer-pods";
export { Restarts } from "./restarts";
