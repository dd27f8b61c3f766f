/**
 * On which nodes a TrafficControl may be in force, as far as plans and their answers tell. Kept up to date plan by plan, because a thousand
 * nodes each ask for it when one TrafficControl is deleted. Fed by the controller, asked by the finalizer.
 */
import { uidsInForce, type PlanFacts } from "../planning";

const NONE: ReadonlySet<string> = new Set();

export class InForce {
  private readonly nodes = new Map<string, Set<string>>();

  /** Takes over a change of a node's plan; the UIDs of those that are certainly no longer in force there. */
  change(before: PlanFacts | undefined, after: PlanFacts | undefined): ReadonlySet<string> {
    const gone = before === undefined ? new Set<string>() : uidsInForce(before);
    const there = after === undefined ? NONE : uidsInForce(after);
    for (const uid of there) {
      if (gone.delete(uid)) continue;
      const nodes = this.nodes.get(uid);
      if (nodes === undefined) this.nodes.set(uid, new Set([after!.node]));
      else nodes.add(after!.node);
    }
    for (const uid of gone) {
      const nodes = this.nodes.get(uid);
      if (nodes?.delete(before!.node) === true && nodes.size === 0) this.nodes.delete(uid);
    }
    return gone;
  }

  nodesOf(uid: string): ReadonlySet<string> {
    return this.nodes.get(uid) ?? NONE;
  }
}
