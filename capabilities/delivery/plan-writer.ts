/** Writes and deletes NodeTrafficPlans, and knows which TrafficControls a write that is still under way may put in force. */
import { NODE_TRAFFIC_PLAN, type NodeTrafficPlan } from "../api";
import { JsonText, must, type Clock, type Informer, type KubernetesApi, type RawObject } from "../engine";
import { isConfirmed, retiringAfter, specText, type Plan, type PlanFacts } from "../planning";

/**
 * How long a programmer may take to notice that the plan is again what it last confirmed. It has no reason to say so: to the hash nothing
 * has happened, although it may have begun with the plan in between.
 */
const RETURN_MS = 2_000;

export type RawPlan = NodeTrafficPlan & RawObject;

export class PlanWriter {
  /** Per node the UIDs named by writes whose success is not known yet. */
  private readonly underWay = new Map<string, Set<string>>();
  /** Nodes whose plan this process has written: from then on the informer has seen our own last write. */
  private readonly written = new Set<string>();
  /** Per node what was in force for a moment only, and until when it may still be. */
  private readonly returned = new Map<string, { uids: Set<string>; until: number }>();

  constructor(
    private readonly api: KubernetesApi,
    private readonly plans: Informer<RawPlan, PlanFacts>,
    private readonly clock: Clock,
  ) {}

  /** Server-side apply of the whole spec; nothing if it is already there. */
  async write(node: string, wanted: Plan): Promise<void> {
    // An earlier write had no answer: whether it has got through, only the API server knows.
    if (this.underWay.has(node)) await this.refresh(node);
    const before = this.plans.get(node);
    if (before?.hash === wanted.hash) {
      this.underWay.delete(node);
      return;
    }
    const retiring = retiringAfter(before, wanted);
    const uids = this.underWay.get(node) ?? new Set();
    for (const { uid } of wanted.rules) uids.add(uid);
    this.underWay.set(node, uids);
    const isReturn = before !== undefined && !isConfirmed(before) && before.status.observedHash === wanted.hash;
    // Before the write: the watch may tell of it earlier than its answer does.
    if (isReturn) this.returned.set(node, { uids: new Set(retiring), until: Infinity });
    // `retiring` is made from what is there. A new leader's replica may lag behind the last leader's writes, so its first write of each
    // plan is conditional; a conflict is resolved by the watch and the next attempt.
    const resourceVersion = this.written.has(node) ? undefined : before?.resourceVersion;
    const { group, version, kind } = NODE_TRAFFIC_PLAN;
    const metadata = JSON.stringify({ name: node, resourceVersion });
    const head = `"apiVersion":"${group}/${version}","kind":"${kind}","metadata":${metadata}`;
    // The answer need not repeat the whole plan.
    const result = await this.api.apply<RawObject>(
      pathOf(node),
      new JsonText(`{${head},"spec":${specText(wanted, retiring)}}`),
      { answer: "metadata" },
    );
    if (!result.ok && result.code === 409) await this.refresh(node);
    if (isReturn) this.returned.set(node, { uids: new Set(retiring), until: this.clock.monotonic() + RETURN_MS });
    const written = must(result, `Writing the NodeTrafficPlan of ${node}`);
    this.plans.amend(written, (known) => factsAfter(written, wanted, retiring, known));
    this.written.add(node);
    this.underWay.delete(node);
  }

  async delete(plan: PlanFacts): Promise<void> {
    const { node, uid, resourceVersion } = plan;
    const result = await this.api.delete(pathOf(node), { preconditions: { uid, resourceVersion } });
    if (!result.ok && result.code !== 404) must(result, `Deleting the NodeTrafficPlan of ${node}`);
    this.written.delete(node);
    this.underWay.delete(node);
  }

  /** Nodes where the TrafficControl may be in force although their plans do not say so (any more, or yet). */
  nodesUnderWay(uid: string): string[] {
    const now = this.clock.monotonic();
    for (const [node, { until }] of this.returned) if (until <= now) this.returned.delete(node);
    const written = [...this.underWay].filter(([, uids]) => uids.has(uid));
    const returned = [...this.returned].filter(([, { uids }]) => uids.has(uid));
    return [...written, ...returned].map(([node]) => node);
  }

  private async refresh(node: string): Promise<void> {
    const current = await this.api.get<RawPlan>(pathOf(node));
    if (!current.ok && current.code === 404) return;
    this.plans.admit(must(current, `Reading the NodeTrafficPlan of ${node}`));
  }
}

/** What is known of the plan now: what was written, and what the programmer has last said about it. */
function factsAfter(
  { metadata: { name, uid, resourceVersion } }: RawObject,
  { nodeUID, hash, rules }: Plan,
  retiring: string[],
  known: PlanFacts | undefined,
): PlanFacts {
  const status = known?.uid === uid ? known.status : { rules: [], conditions: [], bridges: [] };
  return { node: name, uid, resourceVersion, nodeUID, hash, rules: [...rules], retiring, status };
}

function pathOf(name: string): { resource: typeof NODE_TRAFFIC_PLAN; name: string } {
  return { resource: NODE_TRAFFIC_PLAN, name };
}
