/** What has to change in a bridge so that its flows become the wanted ones. Called by whoever owns a set of flows. */
import { canonicalActions } from "./canonical-actions";
import { canonicalMatch } from "./canonical-match";
import type { Flow, FlowChange } from "./flow";

/** Matches are long-lived: what has been read once need not be read at each change. */
const spelled = new Map<string, string>();
const REMEMBERED = 20_000;

function spelling(match: string): string {
  const before = spelled.get(match);
  if (before !== undefined) return before;
  if (spelled.size >= REMEMBERED) spelled.clear();
  const canonical = canonicalMatch(match);
  spelled.set(match, canonical);
  return canonical;
}

/** Identity of a flow: two flows with the same key cannot both be in a bridge. */
export function flowKey(flow: { table: number; priority: number; match: string }): string {
  return `${flow.table} ${flow.priority} ${spelling(flow.match)}`;
}

function same(a: Flow, b: Flow): boolean {
  return (
    a.cookie === b.cookie &&
    (a.idleTimeout ?? 0) === (b.idleTimeout ?? 0) &&
    (a.hardTimeout ?? 0) === (b.hardTimeout ?? 0) &&
    (a.actions === b.actions || canonicalActions(a.actions) === canonicalActions(b.actions))
  );
}

/**
 * Changes that turn `current` (usually: everything dumped that carries one's own cookie) into `wanted`.
 * Missing and different flows are added (over a flow of the same identity and cookie the counters go on; under another cookie
 * it counts for something else, and starts at 0), surplus ones are deleted strictly and by cookie, so that nothing else can
 * be hit. Surplus first; in a bundle the order is not visible.
 * Empty if nothing has to change. If `wanted` names an identity twice, the last one counts, as in Open vSwitch.
 */
export function diffFlows(current: readonly Flow[], wanted: readonly Flow[]): FlowChange[] {
  const want = new Map(wanted.map((flow) => [flowKey(flow), flow]));
  const have = new Map(current.map((flow) => [flowKey(flow), flow]));
  const changes: FlowChange[] = [];
  for (const [key, flow] of have) {
    if (want.has(key)) continue;
    const { table, priority, match, cookie } = flow;
    changes.push({ kind: "deleteStrict", table, priority, match, cookie });
  }
  for (const [key, flow] of want) {
    const existing = have.get(key);
    if (!existing) changes.push({ kind: "add", ...flow });
    else if (existing.cookie !== flow.cookie) changes.push({ kind: "add", resetCounts: true, ...flow });
    else if (!same(existing, flow)) changes.push({ kind: "add", ...flow });
  }
  return changes;
}
