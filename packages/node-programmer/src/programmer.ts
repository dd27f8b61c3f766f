/**
 * The node programmer's life: connect, take the lock, follow plan and Open vSwitch, report, linger, end. No Kubernetes
 * here: plans come from a source and statuses go to a sink, so that tests and oneShot mode run the same code.
 */
import { EXIT } from "@ovs-traffic-control/api";
import type { NodeTrafficPlan, PlanSpec } from "@ovs-traffic-control/api";
import { Appctl, OpenFlow } from "ovs-ofctl-wrapper";
import { connect, waitForLock } from "./connection";
import type { Connection } from "./connection";
import { Mirrors } from "./mirrors";
import type { ProgrammerOptions } from "./options";
import { viewsOf } from "./ovs";
import { whyBadPlan } from "./plan-check";
import { PodMacs, PodNamespaces } from "./pods";
import { HostNetwork, Ports } from "./ports";
import { Bridges, Loop, Reconciler } from "./reconcile";
import type { Outcome } from "./reconcile";
import { Reporter } from "./reporter";
import { Timers } from "./timers";

const AUDIT_INTERVAL = 30_000;
/** Milliseconds to the look after a change: others may have acted at the same time. */
const AFTER_CHANGE = 2_000;
/** Milliseconds of silence before Open vSwitch is reported as gone, and given up in once mode: its restart is shorter. */
const UNREACHABLE_AFTER = 3_000;
/** Milliseconds until a pass is repeated that could not do everything. */
const RETRY = { first: 100, longest: 2_000 };

/** Runs until there is nothing left to do, or the signal, or somebody else has the lock. Returns an exit code of EXIT. */
export async function runProgrammer(options: ProgrammerOptions): Promise<number> {
  const programmer = new Programmer(options);
  let code: number | undefined;
  try {
    return (code = await programmer.run());
  } finally {
    await programmer.close(code);
  }
}

/** What exists once Open vSwitch is reached. */
interface World extends Connection {
  bridges: Bridges;
  reconciler: Reconciler;
}

class Programmer {
  private readonly ended: Promise<number>;
  private end!: (code: number) => void;
  private world: World | null = null;
  /** undefined: not known yet; null: there is none, which is the same as an empty one. */
  private plan: NodeTrafficPlan | null | undefined;
  private readonly reasons = new Set<string>();
  private auditWanted = false;
  /** ovs-vswitchd has been restarted since the last pass. */
  private restarted = false;
  /** Bridges without work have been searched for flows of ours since the last audit. */
  private searched = false;
  private outcome: Outcome | null = null;
  /** In once mode: Open vSwitch has been refusing for so long that it is not waited for any more. */
  private givenUp = false;
  private readonly timers = new Timers();
  private readonly loop = new Loop(() => this.pass(), RETRY);
  private readonly reporter: Reporter;

  constructor(private readonly options: ProgrammerOptions) {
    this.ended = new Promise((resolve) => (this.end = resolve));
    this.reporter = new Reporter(options, () => {
      this.finish();
    });
  }

  run(): Promise<number> {
    const { signal } = this.options;
    if (signal?.aborted) return Promise.resolve(EXIT.done);
    signal?.addEventListener("abort", () => {
      this.end(EXIT.done);
    });
    return Promise.race([this.ended, this.begin()]);
  }

  async close(code: number | undefined): Promise<void> {
    this.options.planSource.stop();
    this.timers.cancelAll();
    await this.loop.stop();
    if (code === EXIT.superseded) await this.world?.bridges.withdraw();
    await this.reporter.close();
    this.world?.bridges.close();
    this.world?.db.close();
  }

  private async begin(): Promise<number> {
    // Both at once: connecting takes as long as fetching the plan.
    const [refused] = await Promise.all([
      this.enter(),
      this.options.planSource.start((plan) => {
        this.planArrived(plan);
      }),
    ]);
    if (refused !== null) return refused;
    this.wake("start");
    this.auditLater(this.options.auditInterval ?? AUDIT_INTERVAL);
    return this.ended;
  }

  /** null, or the code to exit with. */
  private async enter(): Promise<number | null> {
    const { log, runDir, netnsDir } = this.options;
    const connected = await connect(this.options, () => {
      this.wake("Open vSwitch's configuration has changed");
    });
    if (!connected.ok) {
      log("error", connected.error.message);
      return EXIT.ovsUnreachable;
    }
    const { db, replica, lock } = connected.value;
    const appctl = new Appctl({ runDir });
    const view = viewsOf(replica);
    const namespaces = new PodNamespaces(netnsDir);
    const openflow = new OpenFlow({ runDir });
    const ports = new Ports({ db, appctl, openflow, host: new HostNetwork(), view, guards: () => [lock.assert()] });
    const mirrors = new Mirrors({
      ...{ db, view, guards: () => [lock.assert()] },
      counted: (bridge, rows) => {
        this.reporter.countRows(bridge, rows);
      },
    });
    const bridges = new Bridges({
      ...{ openflow, appctl, mirrors },
      view,
      mayWrite: () => db.transact([lock.assert()]),
      wake: (why, audit) => {
        if (audit) this.auditWanted = true;
        this.wake(why);
      },
      seen: (bridge, ours) => {
        this.reporter.count(bridge, ours);
      },
      restarted: () => {
        this.restarted = true;
        ports.restarted();
      },
    });
    const macs = new PodMacs(namespaces, appctl);
    const reconciler = new Reconciler({ bridges, namespaces, macs, mirrors, ports, view });
    this.world = { db, replica, lock, bridges, reconciler };
    if (!(await this.locked())) return EXIT.superseded;
    db.on("close", (reason) => {
      log("warn", `Open vSwitch's database is gone: ${reason}; taps stay as they are`);
      this.unreachable(`Open vSwitch's database does not answer: ${reason}`);
    });
    db.on("reconnect", () => void this.databaseBack());
    lock.on("lost", () => {
      // With the connection goes the lock; but while it stands, only somebody else can have taken it.
      if (!db.connected) return;
      log("warn", "another programmer has taken over this node");
      this.end(EXIT.superseded);
    });
    return null;
  }

  private async locked(): Promise<boolean> {
    if (!this.world) return false;
    const { log } = this.options;
    const ours = await waitForLock(this.world.lock, () => {
      log("info", "another programmer is at work on this node; waiting for it to end");
    });
    if (!ours) log("warn", "the other programmer does not end; the node is left to it");
    return ours;
  }

  /** Says so in the status, unless the next pass comes first: a restart is no news. */
  private unreachable(message: string): void {
    this.giveUpLater();
    if (this.timers.has("unreachable")) return;
    this.timers.after("unreachable", UNREACHABLE_AFTER, () => {
      this.reporter.reportUnreachable(message);
    });
  }

  /** In once mode nobody waits for a daemon to be started one day. */
  private giveUpLater(): void {
    if (!this.options.once || this.timers.has("give up")) return;
    this.timers.after("give up", UNREACHABLE_AFTER, () => {
      this.givenUp = true;
      this.finish();
    });
  }

  private async databaseBack(): Promise<void> {
    this.options.log("info", "Open vSwitch's database is back");
    // The next pass finds out what else is missing; if another programmer has the lock now, that one says it.
    this.timers.cancel("unreachable");
    this.timers.cancel("give up");
    if (!(await this.locked())) this.end(EXIT.superseded);
    this.world?.bridges.takeAgain();
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
    const same = this.plan !== undefined && this.plan?.spec.hash === plan?.spec.hash;
    this.plan = plan;
    const silent = this.reporter.adopt(plan);
    if (!same || silent) this.wake(plan ? `plan ${plan.spec.hash.slice(0, 8)}` : "there is no plan");
  }

  private wake(why: string): void {
    this.reasons.add(why);
    if (this.mayAct()) this.loop.wake();
  }

  /** This node is ours, as far as we know. */
  private mayAct(): boolean {
    return this.world?.lock.held ?? false;
  }

  private auditLater(milliseconds: number): void {
    this.timers.after("audit", milliseconds, () => {
      this.auditWanted = true;
      this.wake("audit");
      this.auditLater(this.options.auditInterval ?? AUDIT_INTERVAL);
    });
  }

  /** What is left of former redirects goes in a pass of its own. */
  private drainLater(milliseconds: number | null): void {
    if (milliseconds === null) return;
    this.timers.after("drain", milliseconds, () => {
      this.wake("what was inside inspection devices has had its time to come back");
    });
  }

  private async pass(): Promise<"done" | "again"> {
    const { world, plan } = this;
    // Each of these wakes us when it has changed.
    if (!world?.db.connected || !this.mayAct() || plan === undefined) return "done";
    const lost = world.bridges.lost();
    if (lost !== undefined) {
      this.unreachable(`ovs-vswitchd does not answer on bridge ${lost}: is it running?`);
      return "done";
    }
    this.timers.cancel("unreachable");
    const started = performance.now();
    const why = this.reasons.size > 0 ? [...this.reasons] : ["another try"];
    this.reasons.clear();
    const spec = plan?.spec ?? NO_PLAN;
    await this.catchUp(world, spec);
    const outcome = await world.reconciler.pass(spec);
    // What could not be done any more is no news of ours.
    if (!this.mayAct()) return "done";
    if (!this.searched) {
      this.searched = true;
      if (await world.bridges.findLeftovers()) {
        // Not done yet, whatever this pass says: the next one follows at once.
        this.wake("flows of ours on a bridge without work");
        return "done";
      }
    }
    this.outcome = outcome;
    this.reporter.tell(outcome, why, performance.now() - started);
    this.reporter.report(outcome);
    if (outcome.changes > 0) this.auditLater(AFTER_CHANGE);
    this.drainLater(outcome.draining);
    if (outcome.failures.length > 0) this.giveUpLater();
    else this.timers.cancel("give up");
    this.finish();
    return outcome.failures.length > 0 || outcome.waiting ? "again" : "done";
  }

  /** What comes before a pass: port numbers after a restart, or a look at all flows if it is time for one. */
  private async catchUp({ db, reconciler }: World, spec: PlanSpec): Promise<void> {
    if (this.restarted) {
      this.restarted = false;
      reconciler.restarted();
      // Port numbers may have changed; ovs-vswitchd has written them down when it has caught up with the database.
      await db.transactAndWait([]);
      // No look now: flows come first.
      return;
    }
    if (!this.auditWanted) return;
    this.auditWanted = false;
    // A restore by ovs-ctl may bring flows back to a bridge that was done with.
    this.searched = false;
    await reconciler.audit(spec);
  }

  /** Ends the process when there is nothing left to stay for. Called after each pass and each written status. */
  private finish(): void {
    const { outcome, options, timers } = this;
    if (this.givenUp && this.reporter.written) {
      this.end(EXIT.ovsUnreachable);
      return;
    }
    if (!outcome) return;
    const complete = outcome.failures.length === 0 && outcome.draining === null && this.reporter.written;
    if (options.once) {
      const all = outcome.realizedPods === outcome.plan.pods.length;
      if (complete) this.end(all ? EXIT.done : EXIT.podsPending);
      return;
    }
    if (outcome.plan.rules.length + outcome.plan.pods.length > 0) timers.cancel("linger");
    else if (complete && !timers.has("linger"))
      timers.after("linger", options.lingerSeconds * 1000, () => {
        options.log("info", "the plan is empty and nothing of ours is left in Open vSwitch; ending");
        this.end(EXIT.done);
      });
  }
}

/** A plan that was deleted, or never made: nothing is wanted. */
const NO_PLAN: PlanSpec = { nodeUID: "", hash: "", pods: [], rules: [], classes: [] };
