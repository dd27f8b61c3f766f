/**
 * oneShot mode, for clusters that forbid resident privileged Pods: each changed plan is a Job of its own that gets it as a file and
 * answers by its exit code. It has no API token, so the controller writes down for it what it has achieved. Used by the node reconciler.
 */
import { FIELD_MANAGER, LABELS, NODE_TRAFFIC_PLAN, type PlanSpec, type PlanStatus } from "../api";
import { must, RESOURCES, type Informer, type KubernetesApi } from "../engine";
import { specText, type Plan, type PlanFacts } from "../planning";
import { jobName, PLAN_FILE } from "./job";
import type { RawPlan } from "./plan-writer";

export interface OneShotOptions {
  api: KubernetesApi;
  plans: Informer<RawPlan, PlanFacts>;
  nodesNamespace: string;
}

export class OneShot {
  constructor(private readonly options: OneShotOptions) {}

  /**
   * Puts the plan where the node's next Job finds it; goes with the NodeTrafficPlan. What the node has confirmed before ends here: the Job
   * runs whatever the plan is by then, and if it is again the former one, another Job has to bring it back.
   */
  async provide(node: string, plan: Plan): Promise<void> {
    const { api, nodesNamespace: namespace } = this.options;
    const { uid, status } = this.planOf(node);
    if (status.observedHash !== undefined) await this.report(node, { observedHash: null });
    const { group, version, kind } = NODE_TRAFFIC_PLAN;
    const apiVersion = `${group}/${version}`;
    const name = jobName(node);
    const result = await api.apply(
      { resource: RESOURCES.configMaps, namespace, name },
      {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: {
          name,
          namespace,
          labels: { [LABELS.managedBy]: FIELD_MANAGER },
          ownerReferences: [{ apiVersion, kind, name: node, uid }],
        },
        data: {
          [PLAN_FILE]: `${JSON.stringify({ apiVersion, kind, metadata: { name: node, uid } }).slice(0, -1)},"spec":${specText(plan, [])}}`,
        },
      },
    );
    must(result, `Writing the ConfigMap ${name} with the plan of ${node}`);
  }

  /** Exit code 0: everything in the plan is realized. To be written before the Job, the only witness, is deleted. */
  async confirm(node: string, plan: Plan): Promise<void> {
    const { pods, rules, classes } = JSON.parse(plan.text()) as PlanSpec;
    const realized = new Array<number>(rules.length).fill(0);
    for (const pod of pods) for (const rule of classes[pod.class]!.rules) realized[rule]! += 1;
    const status: PlanStatus = {
      observedHash: plan.hash,
      realizedPods: pods.length,
      rules: rules.map(({ name, uid: ruleUID, generation }, index) => {
        return { name, uid: ruleUID, generation, realizedPods: realized[index]!, pendingPods: [] };
      }),
    };
    await this.report(node, status);
  }

  private async report(node: string, status: PlanStatus | { observedHash: null }): Promise<void> {
    const path = { resource: NODE_TRAFFIC_PLAN, name: node, subresource: "status" };
    const { uid } = this.planOf(node);
    const written = await this.options.api.mergePatch<RawPlan>(path, { metadata: { uid }, status });
    this.options.plans.admit(must(written, `Writing the status of the NodeTrafficPlan of ${node}`));
  }

  private planOf(node: string): PlanFacts {
    const plan = this.options.plans.get(node);
    if (plan === undefined)
      throw new Error(`the NodeTrafficPlan of ${node} is not there; it is written before its Job`);
    return plan;
  }
}
