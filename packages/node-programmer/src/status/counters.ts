/**
 * Packets and bytes per rule from the counters of the flows that copy or redirect for it, each flow for itself. They restart
 * at 0 with ovs-vswitchd, with a new target, with a new programmer's bits; what a rule shows never goes back.
 */
import type { FlowEntry } from "ovs-ofctl-wrapper";
import type { RowCount } from "../mirrors";
import { KIND, kindOf, shortHash, valueOf } from "../pipeline";

export interface Count {
  packets: number;
  bytes: number;
}

/** A flow or row that counts for a rule, and what it had counted when last looked at. */
interface Counting extends Count {
  rule: number;
}

const NOTHING: Count = { packets: 0, bytes: 0 };

export class Counters {
  /** Rule → what flows that are gone had counted, under former programmers too. */
  private readonly past = new Map<number, Count>();
  /** Bridge → flow or row → what it has counted. */
  private readonly present = new Map<string, Map<string, Counting>>();

  /** What a former programmer has published. */
  seed(uid: string, published: Count): void {
    this.past.set(shortHash(uid), published);
  }

  /** `flows`: all of ours on the bridge, none if it has just lost them. */
  observe(bridge: string, flows: readonly FlowEntry[]): void {
    this.take(bridge, new Map(flows.filter(isCounting).map((flow) => [keyOf(flow), countingOf(flow)])));
  }

  /** `rows`: all Mirror rows of ours on the bridge; each counts for one rule. */
  observeRows(bridge: string, rows: readonly RowCount[]): void {
    const counts = rows.map(({ row, uid, packets, bytes }) => {
      const rule = shortHash(uid);
      return [`${row} ${rule}`, { rule, packets, bytes }] as const;
    });
    this.take(`Mirror rows of ${bridge}`, new Map(counts));
  }

  private take(place: string, now: Map<string, Counting>): void {
    const before = this.present.get(place);
    this.present.set(place, now);
    // What a flow of a former programmer has counted is in what that one has published, but for the last minute's.
    if (!before) for (const { rule, packets, bytes } of now.values()) this.leave(rule, -packets, -bytes);
    for (const [key, { rule, packets, bytes }] of before ?? [])
      if ((now.get(key)?.packets ?? -1) < packets) this.leave(rule, packets, bytes);
  }

  /** undefined if nothing has been counted yet. */
  of(uid: string): Count | undefined {
    const rule = shortHash(uid);
    const flows = [...this.present.values()].flatMap((all) => [...all.values()].filter((flow) => flow.rule === rule));
    const past = this.past.get(rule);
    if (!past && flows.length === 0) return undefined;
    return flows.reduce<Count>((sum, { packets, bytes }) => plus(sum, packets, bytes), past ?? NOTHING);
  }

  private leave(rule: number, packets: number, bytes: number): void {
    const sum = plus(this.past.get(rule) ?? NOTHING, packets, bytes);
    this.past.set(rule, { packets: Math.max(0, sum.packets), bytes: Math.max(0, sum.bytes) });
  }
}

function plus(count: Count, packets: number, bytes: number): Count {
  return { packets: count.packets + packets, bytes: count.bytes + bytes };
}

function isCounting({ cookie }: FlowEntry): boolean {
  return kindOf(cookie) === KIND.copy || kindOf(cookie) === KIND.redirect;
}

function countingOf({ cookie, packets, bytes }: FlowEntry): Counting {
  return { rule: valueOf(cookie), packets, bytes };
}

/** With the rule: another one can have got its bit. */
function keyOf({ table, priority, match, cookie }: FlowEntry): string {
  return `${table} ${priority} ${match} ${valueOf(cookie)}`;
}
