/** Tells what was done: the plan's status, written when it differs, and the log. Owned by the programmer. */
import type { NodeTrafficPlan, PlanStatus } from "@ovs-traffic-control/api";
import type { FlowEntry } from "ovs-ofctl-wrapper";
import type { RowCount } from "./mirrors";
import type { ProgrammerOptions } from "./options";
import { Loop } from "./reconcile";
import type { Outcome } from "./reconcile";
import { Counters, sameStatus, statusOf, unreachable } from "./status";

const COUNTER_INTERVAL = 60_000;
/** A tenth of the interval at most, so that the nodes of a cluster do not report at the same moment. */
const JITTER = 0.1;

export class Reporter {
  private readonly counters = new Counters();
  private countersPublished = 0;
  /** What the plan object says, as far as we know. */
  private published: PlanStatus | undefined;
  /** Since the node has had a plan; former programmers' included. */
  private repairs = 0;
  /** What it shall say. */
  private wanted: PlanStatus | undefined;
  private exists = false;
  private uid: string | undefined;
  private seeded = false;
  private lastLine = "";
  private readonly writer = new Loop(() => this.write(), { first: 200, longest: 10_000 });

  /** `onWritten`: the plan object now says what it shall. */
  constructor(
    private readonly options: Pick<ProgrammerOptions, "statusSink" | "log" | "counterInterval">,
    private readonly onWritten: () => void,
  ) {}

  async close(): Promise<void> {
    await this.writer.stop();
  }

  /** A plan has arrived, with what it says of itself. True if it says nothing yet. */
  adopt(plan: NodeTrafficPlan | null): boolean {
    // An object that was deleted and made again knows nothing of what was written to the former one.
    if (!this.seeded || plan?.metadata.uid !== this.uid) this.published = plan?.status;
    this.exists = plan !== null;
    this.uid = plan?.metadata.uid;
    if (!this.seeded)
      for (const { uid, packets, bytes } of plan?.status?.rules ?? [])
        if (packets !== undefined && bytes !== undefined) this.counters.seed(uid, { packets, bytes });
    if (!this.seeded) this.repairs = plan?.status?.repairs ?? 0;
    this.seeded = true;
    return this.published === undefined;
  }

  count(bridge: string, flows: readonly FlowEntry[]): void {
    this.counters.observe(bridge, flows);
  }

  countRows(bridge: string, rows: readonly RowCount[]): void {
    this.counters.observeRows(bridge, rows);
  }

  /** The status says what it shall, or there is nowhere to say it. */
  get written(): boolean {
    return !this.exists || (this.wanted !== undefined && sameStatus(this.published, this.wanted));
  }

  report(outcome: Outcome): void {
    const now = Date.now();
    const interval = this.options.counterInterval ?? COUNTER_INTERVAL;
    const withCounters = now - this.countersPublished >= interval;
    if (withCounters) this.countersPublished = now + Math.random() * JITTER * interval;
    this.repairs += outcome.repairs;
    const before = new Map(this.published?.rules?.map((rule) => [rule.uid, rule]));
    this.publish(
      statusOf({
        outcome,
        previous: this.published,
        now: new Date(now),
        // Like packets: somebody who changes flows ten times a second must not make us write as often.
        repairs: withCounters ? this.repairs : (this.published?.repairs ?? 0),
        countOf: (uid) => {
          if (withCounters) return this.counters.of(uid);
          const { packets, bytes } = before.get(uid) ?? {};
          return packets === undefined || bytes === undefined ? undefined : { packets, bytes };
        },
      }),
    );
  }

  reportUnreachable(message: string): void {
    this.options.log("warn", message);
    this.publish(unreachable(this.published, message, new Date()));
  }

  /** One line if something was changed or is otherwise than before. */
  tell(outcome: Outcome, why: readonly string[], milliseconds: number): void {
    const { failures, plan, changes, rules } = outcome;
    const problems = [
      ...failures,
      ...rules.flatMap(({ rule, problem }) => (problem ? [`${rule.name}: ${problem.message}`] : [])),
      ...rules
        .flatMap(({ problem: all, pending }) => (all ? [] : pending.map(({ problem }) => problem.message)))
        .slice(0, 3),
    ];
    const summary = `${outcome.realizedPods} of ${plan.pods.length} Pods, ${plan.rules.length} TrafficControls in force`;
    const line = JSON.stringify([plan.hash, summary, problems]);
    if (changes === 0 && line === this.lastLine) return;
    this.lastLine = line;
    const text = changes > 0 ? `${changes} changes made` : "nothing to change";
    this.options.log(failures.length > 0 ? "warn" : "info", `${text}: ${summary}`, {
      why,
      hash: plan.hash,
      milliseconds: Math.round(milliseconds * 10) / 10,
      ...(problems.length > 0 ? { problems: [...new Set(problems)] } : {}),
    });
  }

  private publish(status: PlanStatus): void {
    this.wanted = status;
    if (!this.written) this.writer.wake();
  }

  private async write(): Promise<"done" | "again"> {
    const status = this.wanted;
    if (!status || this.written) return "done";
    try {
      await this.options.statusSink.write(status);
      this.published = status;
      this.onWritten();
      return "done";
    } catch (error) {
      this.options.log("warn", `the status could not be written: ${(error as Error).message}`);
      return "again";
    }
  }
}
