/**
 * The node programmer's life: connect, take the lock, follow plan and Open vSwitch, report, linger, end. No Kubernetes
 * here: plans come from a source and statuses go to a sink, so that tests and oneShot mode run the same code.
 */
import { EXIT } from "@ovs-traffic-control/api";
import type { NodeTrafficPlan, PlanStatus } from "@ovs-traffic-control/api";
import { Appctl, OpenFlow, Ovsdb } from "ovs-ofctl-wrapper";
import type { Lock } from "ovs-ofctl-wrapper";
import { COLUMNS, viewOf } from "./ovs";
import type { OvsView } from "./ovs";
import { whyBadPlan } from "./plan-check";
import { PodMacs, PodNamespaces } from "./pods";
import { HostNetwork, Ports } from "./ports";
import { Bridges, Loop, Reconciler } from "./reconcile";
import type { Outcome } from "./reconcile";
import { Counters, sameStatus, statusOf, unreachable } from "./status";

export interface PlanSource {
  /** Calls back with the plan now (null: there is none) and after each change, until `stop`. */
  start(onPlan: (plan: NodeTrafficPlan | null) => void): Promise<void>;
  stop(): void;
}

export interface StatusSink {
  /** Replaces the status. Rejects if it could not; it is tried again with the newest status. */
  write(status: PlanStatus): Promise<void>;
}

/** One line of the log: what happened, for a human being, and the figures. */
export type Log = (level: "info" | "warn" | "error", message: string, fields?: Record<string, unknown>) => void;

export interface ProgrammerOptions {
  planSource: PlanSource;
  statusSink: StatusSink;
  log: Log;
  /** Directory with db.sock, BRIDGE.mgmt and the daemons' control files. */
  runDir: string;
  /** Directory with the Pods' network namespaces. */
  netnsDir: string;
  /** UID of this node, if known: a plan for another one is refused. */
  nodeUID?: string;
  /** Seconds to stay after the plan has become empty. */
  lingerSeconds: number;
  /** Apply the plan once, report, end: exit code 0, or 65 if some Pods are pending. */
  once?: boolean;
  /** Ends the programmer and leaves everything in place. */
  signal?: AbortSignal;
  /** Milliseconds; for tests. */
  auditInterval?: number;
  /** Milliseconds between counter-only reports, at least; for tests. */
  counterInterval?: number;
}

const LOCK = "ovs_traffic_control";
/** Milliseconds that a predecessor has to give up the lock, and ovsdb-server to answer at start. */
const LOCK_WAIT = 10_000;
const START_WAIT = 30_000;
const AUDIT_INTERVAL = 30_000;
const COUNTER_INTERVAL = 60_000;
/** Milliseconds to the look after a change: others may have acted at the same time. */
const AFTER_CHANGE = 2_000;
/** Milliseconds of silence before a lost database is reported: a restart of ovsdb-server is shorter. */
const UNREACHABLE_AFTER = 3_000;

/** Runs until there is nothing left to do, or the signal, or somebody else has the lock. Returns an exit code of EXIT. */
export async function runProgrammer(options: ProgrammerOptions): Promise<number> {
  const programmer = new Programmer(options);
  try {
    return await programmer.run();
  } finally {
    await programmer.close();
  }
}

class Programmer {
  private readonly ended: Promise<number>;
  private end!: (code: number) => void;
  private db: Ovsdb | null = null;
  private lock: Lock | null = null;
  private bridges: Bridges | null = null;
  private reconciler: Reconciler | null = null;
  /** undefined: not known yet; null: there is none, which is the same as an empty one. */
  private plan: NodeTrafficPlan | null | undefined;
  private lastPlan: NodeTrafficPlan["spec"] | undefined;
  private readonly reasons = new Set<string>();
  private auditWanted = false;
  /** ovs-vswitchd has been restarted since the last pass. */
  private restarted = false;
  /** Bridges without work have been searched for flows of a former run. */
  private searched = false;
  private readonly counters = new Counters();
  private countersPublished = 0;
  private published: PlanStatus | undefined;
  private outcome: Outcome | null = null;
  private lastOutcome = "";
  private readonly timers = new Map<string, NodeJS.Timeout>();
  private readonly loop = new Loop(() => this.pass(), { first: 100, longest: 2_000 });
  private readonly writer = new Loop(() => this.write(), { first: 200, longest: 10_000 });

  constructor(private readonly options: ProgrammerOptions) {
    this.ended = new Promise((resolve) => (this.end = resolve));
  }

  async run(): Promise<number> {
    const { options } = this;
    options.signal?.addEventListener("abort", () => {
      this.end(EXIT.done);
    });
    if (options.signal?.aborted) return EXIT.done;
    return Promise.race([this.ended, this.begin()]);
  }

  private async begin(): Promise<number> {
    // Both at once: connecting takes as long as fetching the plan.
    const [connected] = await Promise.all([
      this.connect(),
      this.options.planSource.start((plan) => {
        this.planArrived(plan);
      }),
    ]);
    if (connected !== null) return connected;
    this.wake("start");
    this.after("audit", this.options.auditInterval ?? AUDIT_INTERVAL, () => {
      this.wakeAudit();
    });
    return this.ended;
  }

  async close(): Promise<void> {
    this.options.planSource.stop();
    for (const timer of this.timers.values()) clearTimeout(timer);
    await this.loop.stop();
    await this.writer.stop();
    this.bridges?.close();
    this.db?.close();
  }

  /** null, or the code to exit with. */
  private async connect(): Promise<number | null> {
    const ovs = { runDir: this.options.runDir };
    const db = await this.openDatabase();
    if (!db) return EXIT.ovsUnreachable;
    this.db = db;
    const [replica, lock] = await Promise.all([
      db.monitor(COLUMNS, () => {
        this.wake("Open vSwitch's configuration has changed");
      }),
      db.lock(LOCK),
    ]);
    if (!replica.ok || !lock.ok) {
      this.options.log("error", "Open vSwitch's database does not answer", { replica, lock });
      return EXIT.ovsUnreachable;
    }
    this.lock = lock.value;
    if (!(await this.locked())) return EXIT.superseded;
    db.on("close", (reason) => {
      this.databaseLost(reason);
    });
    db.on("reconnect", () => void this.databaseBack());
    const appctl = new Appctl(ovs);
    const view = (): OvsView => viewOf(replica.value);
    const ports = new Ports({ db, appctl, host: new HostNetwork(), view, guards: () => [lock.value.assert()] });
    this.bridges = new Bridges({
      openflow: new OpenFlow(ovs),
      appctl,
      view,
      wake: (why, audit) => {
        if (audit) this.auditWanted = true;
        this.wake(why);
      },
      restarted: () => {
        this.restarted = true;
        ports.restarted();
      },
    });
    const namespaces = new PodNamespaces(this.options.netnsDir);
    const macs = new PodMacs(namespaces, appctl);
    this.reconciler = new Reconciler({ bridges: this.bridges, namespaces, macs, ports, view });
    return null;
  }

  private async openDatabase(): Promise<Ovsdb | null> {
    const deadline = Date.now() + START_WAIT;
    for (;;) {
      try {
        return await Ovsdb.connect({ runDir: this.options.runDir });
      } catch (error) {
        if (Date.now() > deadline || this.options.signal?.aborted || this.options.once) {
          this.options.log("error", (error as Error).message);
          return null;
        }
        await new Promise((resolve) => setTimeout(resolve, 250));
      }
    }
  }

  /** Waits for the lock as long as a predecessor may need to end. */
  private async locked(): Promise<boolean> {
    const { lock } = this;
    if (!lock || lock.held) return lock !== null;
    this.options.log("info", "another programmer is at work on this node; waiting for it to end");
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.options.log("warn", `the other programmer has not ended within ${LOCK_WAIT / 1000} s; leaving it to it`);
        resolve(false);
      }, LOCK_WAIT);
      lock.once("acquired", () => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }

  private databaseLost(reason: string): void {
    this.options.log("warn", `Open vSwitch's database is gone: ${reason}; taps stay as they are`);
    this.unreachable(`Open vSwitch's database does not answer: ${reason}`);
  }

  /** Says so in the status, unless the next pass comes first: a restart is no news. */
  private unreachable(message: string): void {
    if (this.timers.has("unreachable")) return;
    this.after("unreachable", UNREACHABLE_AFTER, () => {
      this.options.log("warn", message);
      this.publish(unreachable(this.published, message, new Date()));
    });
  }

  private async databaseBack(): Promise<void> {
    this.options.log("info", "Open vSwitch's database is back");
    if (!(await this.locked())) this.end(EXIT.superseded);
    this.auditWanted = true;
    this.wake("Open vSwitch's database is back");
  }

  private planArrived(plan: NodeTrafficPlan | null): void {
    const bad = plan && whyBadPlan(plan, this.options.nodeUID);
    if (bad) {
      this.options.log("error", `the plan is not applied: ${bad}`);
      this.end(EXIT.badPlan);
      return;
    }
    const first = this.plan === undefined;
    if (first && plan?.status) {
      this.published = plan.status;
      for (const { uid, packets, bytes } of plan.status.rules ?? [])
        if (packets !== undefined && bytes !== undefined) this.counters.seed(uid, { packets, bytes });
    }
    const before = this.plan?.spec.hash;
    this.plan = plan;
    if (first || before !== plan?.spec.hash)
      this.wake(plan ? `plan ${plan.spec.hash.slice(0, 8)}` : "there is no plan");
  }

  private wake(why: string): void {
    this.reasons.add(why);
    if (this.reconciler) this.loop.wake();
  }

  private wakeAudit(): void {
    this.auditWanted = true;
    this.wake("audit");
    this.after("audit", this.options.auditInterval ?? AUDIT_INTERVAL, () => {
      this.wakeAudit();
    });
  }

  private async pass(): Promise<"done" | "again"> {
    const { reconciler, options } = this;
    if (!reconciler || this.plan === undefined || !this.db?.connected) return "done";
    if (!this.lock?.held) return "done";
    const lost = this.bridges?.lost();
    if (lost !== undefined) {
      this.unreachable(`ovs-vswitchd does not answer on bridge ${lost}: is it running?`);
      return "done";
    }
    if (this.restarted) {
      this.restarted = false;
      // Port numbers may have changed; ovs-vswitchd has written them down when it has caught up with the database.
      await this.db.transactAndWait([]);
    }
    this.cancel("unreachable");
    const started = performance.now();
    const why = this.reasons.size > 0 ? [...this.reasons] : ["another try"];
    this.reasons.clear();
    const spec = this.plan?.spec ?? emptyPlan(this.lastPlan, options.nodeUID);
    this.lastPlan = spec;
    if (this.auditWanted) {
      this.auditWanted = false;
      this.counters.observe(await reconciler.audit(spec));
    }
    const outcome = await reconciler.pass(spec);
    if (!this.searched) {
      this.searched = true;
      if (await this.bridges?.findLeftovers()) this.wake("flows of a former run on another bridge");
    }
    this.outcome = outcome;
    this.tell(outcome, why, performance.now() - started);
    this.report(outcome);
    if (outcome.changes > 0)
      this.after("audit", AFTER_CHANGE, () => {
        this.wakeAudit();
      });
    this.finish(outcome);
    return outcome.failures.length > 0 || outcome.waiting ? "again" : "done";
  }

  private tell(outcome: Outcome, why: readonly string[], milliseconds: number): void {
    const { failures, plan, changes } = outcome;
    const problems = [
      ...failures,
      ...outcome.rules.flatMap(({ rule, problem }) => (problem ? [`${rule.name}: ${problem.message}`] : [])),
      ...outcome.rules
        .flatMap(({ problem: all, pending }) => (all ? [] : pending.map(({ problem }) => problem.message)))
        .slice(0, 3),
    ];
    const summary = `${outcome.realizedPods} of ${plan.pods.length} Pods, ${plan.rules.length} TrafficControls`;
    const now = JSON.stringify([plan.hash, summary, problems]);
    if (changes === 0 && now === this.lastOutcome) return;
    this.lastOutcome = now;
    const text = changes > 0 ? `${changes} changes made` : "nothing to change";
    this.options.log(failures.length > 0 ? "warn" : "info", `${text}: ${summary} in force`, {
      why,
      hash: plan.hash,
      milliseconds: Math.round(milliseconds * 10) / 10,
      ...(problems.length > 0 ? { problems: [...new Set(problems)] } : {}),
    });
  }

  private report(outcome: Outcome): void {
    const now = Date.now();
    const publishCounters = now - this.countersPublished >= (this.options.counterInterval ?? COUNTER_INTERVAL);
    if (publishCounters) this.countersPublished = now + Math.random() * 0.1 * COUNTER_INTERVAL;
    const before = new Map(this.published?.rules?.map((rule) => [rule.uid, rule]));
    this.publish(
      statusOf({
        outcome,
        previous: this.published,
        now: new Date(now),
        countOf: (uid) => {
          const known = before.get(uid);
          const old =
            known?.packets === undefined || known.bytes === undefined
              ? undefined
              : { packets: known.packets, bytes: known.bytes };
          return publishCounters ? this.counters.of(uid) : old;
        },
      }),
    );
  }

  private wanted: PlanStatus | undefined;

  private publish(status: PlanStatus): void {
    this.wanted = status;
    if (!sameStatus(this.published, status)) this.writer.wake();
  }

  private async write(): Promise<"done" | "again"> {
    const status = this.wanted;
    // Without a plan object there is nowhere to write to.
    if (!status || this.plan === null || sameStatus(this.published, status)) return "done";
    try {
      await this.options.statusSink.write(status);
      this.published = status;
      if (this.outcome) this.finish(this.outcome);
      return "done";
    } catch (error) {
      this.options.log("warn", `the status could not be written: ${(error as Error).message}`);
      return "again";
    }
  }

  /** Ends the process when there is nothing left to stay for. */
  private finish(outcome: Outcome): void {
    const written = this.plan === null || sameStatus(this.published, this.wanted ?? {});
    if (this.options.once) {
      if (!written || outcome.failures.length > 0) return;
      this.end(outcome.realizedPods === outcome.plan.pods.length ? EXIT.done : EXIT.podsPending);
      return;
    }
    const empty = outcome.plan.rules.length === 0 && outcome.plan.pods.length === 0;
    if (!empty || outcome.failures.length > 0 || !written) {
      if (!empty) this.cancel("linger");
      return;
    }
    if (this.timers.has("linger")) return;
    this.after("linger", this.options.lingerSeconds * 1000, () => {
      this.options.log("info", "the plan is empty and nothing of ours is left in Open vSwitch; ending");
      this.end(EXIT.done);
    });
  }

  private after(name: string, milliseconds: number, action: () => void): void {
    this.cancel(name);
    const timer = setTimeout(() => {
      this.timers.delete(name);
      action();
    }, milliseconds);
    this.timers.set(name, timer);
  }

  private cancel(name: string): void {
    clearTimeout(this.timers.get(name));
    this.timers.delete(name);
  }
}

/** A plan that was deleted: nothing is wanted any more. */
function emptyPlan(last: NodeTrafficPlan["spec"] | undefined, nodeUID = ""): NodeTrafficPlan["spec"] {
  return { nodeUID: last?.nodeUID ?? nodeUID, hash: "", pods: [], rules: [], classes: [] };
}
