/**
 * Crashes, refusals, lost answers, lagging reads, broken watches, Jobs that come to nothing and clocks that jump: the end is always the
 * one of an undisturbed run, then nothing is written any more, and no node ever has two programmers. In virtual time over the scripted API server.
 */
import assert from "node:assert/strict";
import { TRAFFIC_CONTROL } from "../../../capabilities/api";
import { RESOURCES, type Environment } from "../../../capabilities/engine";
import { seeded } from "../../support/random";
import type { Delivery, Fault } from "../engine/fake-api-server";
import { FakeCluster } from "./fake-cluster";
import { IS_LONG } from "../../support/slow";

type Mode = Environment["programmerMode"];

const isLease = (path: string): boolean => path.includes("/leases");
/** The Lease, Events and certificates have tests of their own. */
const isOther = (path: string): boolean => /\/(leases|events|secrets)/.test(path);

/** A short life: two taps come, one changes, one goes, Pods come and go. */
async function scenario(cluster: FakeCluster): Promise<void> {
  for (const i of [1, 2]) {
    cluster.addNode(`node-${i}`);
    cluster.addPod(`web-${i}`, `node-${i}`);
  }
  cluster.addTrafficControl("stays", {}, { finalizers: undefined });
  cluster.addTrafficControl("goes", { targetPort: { ovsInternal: { name: "tap0" } } });
  await cluster.clock.advance(3_000);
  cluster.remove(TRAFFIC_CONTROL, "goes");
  cluster.addTrafficControl("stays", { direction: "Egress" });
  await cluster.clock.advance(2_000);
  cluster.addPod("web-1", "node-1", { app: "no-more" });
  cluster.addPod("late", "node-2");
  await cluster.clock.advance(32_000);
}

/** What the controller itself writes, in order. */
function writesOf(cluster: FakeCluster): string[] {
  return cluster.server.writes.filter(({ path }) => !isOther(path)).map(({ method, path }) => `${method} ${path}`);
}

/** What may happen to events on their way. Each loses, repeats or reorders some of those of a fifth of a second. */
const CHAOS: Record<string, (random: () => number) => (pending: Delivery[]) => Delivery[]> = {
  "dropped, until the next list": (random) => (pending) => pending.filter(() => random() > 0.3),
  duplicated: (random) => (pending) => pending.flatMap((event) => (random() < 0.5 ? [event, event] : [event])),
  reordered: (random) => (pending) =>
    pending
      .map((event) => ({ event, order: random() }))
      .sort((x, y) => x.order - y.order)
      .map(({ event }) => event),
  "merged, so that only the last of several is seen": () => (pending) =>
    pending.filter(
      ({ watcher, key }, i) => !pending.slice(i + 1).some((later) => later.watcher === watcher && later.key === key),
    ),
};
const SEEDS = IS_LONG ? 200 : 3;
/** Of oneShot mode's writes, which are many, every fourth if there is no time for all. */
const stepOf = (mode: Mode): number => (mode === "oneShot" && !IS_LONG ? 4 : 1);

for (const mode of ["resident", "oneShot"] as const satisfies Mode[]) suite(mode);

function suite(mode: Mode): void {
  describe(`the controller under faults, ${mode}`, function () {
    this.timeout(600_000);
    let reference: { endState: unknown; writes: string[]; reads: number };
    const newCluster = (): FakeCluster => new FakeCluster({ programmerMode: mode });

    before(async () => {
      const cluster = newCluster();
      let reads = 0;
      cluster.server.readFault = () => {
        reads += 1;
        return undefined;
      };
      await cluster.start();
      await scenario(cluster);
      reference = { endState: cluster.endState(), writes: writesOf(cluster), reads };
      assert.ok(reference.writes.length > 12, reference.writes.join("\n"));
      assert.equal(cluster.trafficControl("goes"), undefined, "its finalizer is released");
      assert.equal(cluster.ready("stays"), "True Realized");
    });

    /** Calls back before each write of the controller with its number. */
    function faulty(onWrite: (number: number) => Fault | undefined): FakeCluster {
      const cluster = newCluster();
      let number = 0;
      cluster.server.fault = ({ path }) => (isOther(path) ? undefined : onWrite(number++));
      return cluster;
    }

    async function quiet(cluster: FakeCluster, what: string): Promise<void> {
      assert.deepEqual(cluster.endState(), reference.endState, what);
      assert.ok(cluster.mostProgrammers <= 1, `${what}: two programmers on a node`);
      const before = writesOf(cluster).length;
      await cluster.clock.advance(6_000);
      assert.deepEqual(writesOf(cluster).slice(before), [], `${what}: still writing`);
    }

    for (const when of ["before", "after"] as const)
      it(`ends the same if it is killed ${when} any of its writes, and another one takes over`, async () => {
        for (let k = 0; k < reference.writes.length; k += stepOf(mode)) {
          let kill: () => void = () => undefined;
          const cluster = faulty((number) => {
            if (number === k) kill();
            return number === k && when === "before" ? { kind: "refuse", code: 0, reason: "Killed" } : undefined;
          });
          ({ kill } = await cluster.start("first"));
          await cluster.clock.advance(100);
          await cluster.start("second");
          await scenario(cluster);
          await quiet(cluster, `killed ${when} write ${k} (${reference.writes[k]!})`);
        }
      });

    it("ends the same if it is killed after any of its writes, and the next one sees the past first", async () => {
      for (let k = 0; k < reference.writes.length; k += stepOf(mode)) {
        let kill: () => void = () => undefined;
        const cluster = faulty((number) => {
          if (number === k) kill();
          return undefined;
        });
        ({ kill } = await cluster.start("first"));
        const life = scenario(cluster);
        // A standby that starts while the API server that it asks lags behind, by more with each run.
        cluster.clock.after(1_500, () => {
          cluster.server.lagBehind(5 + k * 3);
          void cluster.start("second");
          cluster.clock.after(17_000, () => cluster.server.catchUp());
        });
        await life;
        await cluster.clock.advance(20_000);
        await quiet(cluster, `killed after write ${k} (${reference.writes[k]!}), next one behind`);
      }
    });

    for (const code of [409, 429, 500])
      it(`ends the same if any write is refused with ${code}`, async () => {
        for (let k = 0; k < reference.writes.length; k += stepOf(mode)) {
          const cluster = faulty((number) => (number === k ? { kind: "refuse", code, reason: "Refused" } : undefined));
          await cluster.start();
          await scenario(cluster);
          await quiet(cluster, `write ${k} (${reference.writes[k]!}) refused with ${code}`);
        }
      });

    it("ends the same if any write is done, but its answer is lost", async () => {
      for (let k = 0; k < reference.writes.length; k += stepOf(mode)) {
        const cluster = faulty((number) => (number === k ? { kind: "lose" } : undefined));
        await cluster.start();
        await scenario(cluster);
        await quiet(cluster, `answer to write ${k} (${reference.writes[k]!}) lost`);
      }
    });

    it("ends the same if any read fails", async () => {
      const last = Math.min(reference.reads, IS_LONG ? 200 : 24);
      for (let k = 0; k < last; k += stepOf(mode)) {
        const cluster = newCluster();
        let number = 0;
        cluster.server.readFault = () =>
          number++ === k
            ? { ok: false, code: [429, 500, 0][k % 3]!, reason: "Refused", message: "by the test" }
            : undefined;
        await cluster.start();
        await scenario(cluster);
        await quiet(cluster, `read ${k}`);
      }
    });

    it("ends the same if every third write is refused", async () => {
      const cluster = faulty((number) =>
        number % 3 === 0 ? { kind: "refuse", code: 500, reason: "InternalError" } : undefined,
      );
      await cluster.start();
      await scenario(cluster);
      await quiet(cluster, "every third write refused");
    });

    it("ends the same if watches break off all the time, and if versions expire", async () => {
      for (const compact of [false, true]) {
        const cluster = newCluster();
        await cluster.start();
        const disturb = (): void => {
          cluster.server.disconnect({ compact });
          if (cluster.clock.monotonic() < 30_000) cluster.clock.after(70, disturb);
        };
        disturb();
        await scenario(cluster);
        await quiet(cluster, compact ? "with 410" : "broken watches");
      }
    });

    for (const [what, chaos] of Object.entries(CHAOS))
      it(`ends the same if events are ${what}`, async () => {
        for (let seed = 1; seed <= SEEDS; seed++) {
          const cluster = newCluster();
          cluster.relistMilliseconds = 8_000;
          cluster.server.chaos = chaos(seeded(seed));
          await cluster.start();
          await scenario(cluster);
          // The last event may have been lost as well; nothing is after the next list.
          cluster.server.chaos = undefined;
          await cluster.clock.advance(45_000);
          await quiet(cluster, `${what}, seed ${seed}`);
        }
      });

    it("never has two that write: who is cut off from the Lease has stopped before the next one begins", async () => {
      const cluster = newCluster();
      const first = await cluster.start("first");
      await cluster.clock.advance(100);
      await cluster.start("second");
      cluster.server.fault = ({ path, by }) =>
        isLease(path) && by === "first" ? { kind: "refuse", code: 0, reason: "NoAnswer" } : undefined;
      await scenario(cluster);
      assert.equal(first.isLost(), true);
      cluster.addTrafficControl("last");
      await cluster.clock.advance(10_000);
      assert.equal(cluster.ready("last"), "True Realized");
      const writers = cluster.server.writes.filter(({ path }) => !isLease(path)).map(({ by }) => by);
      assert.ok(writers.includes("first") && writers.includes("second"), [...new Set(writers)].join());
      assert.ok(writers.lastIndexOf("first") < writers.indexOf("second"), writers.join(" "));
    });

    for (const [what, trouble] of Object.entries<(cluster: FakeCluster) => void>({
      "is not scheduled for ten seconds": ({ behaviour, clock }) => {
        behaviour.unschedulable.add("node-1");
        clock.after(10_000, () => behaviour.unschedulable.delete("node-1"));
      },
      "is evicted again and again for five seconds": ({ behaviour, clock }) => {
        behaviour.crashing.set("node-1", -1);
        clock.after(5_000, () => behaviour.crashing.delete("node-1"));
      },
      "finds Open vSwitch away for five seconds": ({ behaviour, clock }) => {
        behaviour.crashing.set("node-2", 69);
        clock.after(5_000, () => behaviour.crashing.delete("node-2"));
      },
      "is deleted by somebody else before anybody has read how it ended": (cluster) => {
        const { server, clock } = cluster;
        const remove = (): void => {
          for (const { metadata } of cluster.jobs())
            server.remove({ resource: RESOURCES.jobs, namespace: "nodes", name: metadata.name });
          if (clock.monotonic() < 6_000) clock.after(1_700, remove);
        };
        clock.after(1_300, remove);
      },
    }))
      it(`ends the same if a Job ${what}`, async () => {
        const cluster = newCluster();
        await cluster.start();
        trouble(cluster);
        await scenario(cluster);
        await cluster.clock.advance(60_000);
        await quiet(cluster, what);
      });

    for (const hours of [24, -24])
      it(`ends the same if the time of day jumps by ${hours} hours, twice`, async () => {
        const cluster = newCluster();
        await cluster.start();
        for (const at of [2_000, 6_000]) cluster.clock.after(at, () => cluster.clock.jump(hours * 3_600_000));
        await scenario(cluster);
        await cluster.clock.advance(30_000);
        await quiet(cluster, `${hours} h`);
      });

    it("writes nothing after it has lost the Lease", async () => {
      const cluster = newCluster();
      const { isLost } = await cluster.start();
      cluster.addNode("node-1");
      cluster.addPod("web-1", "node-1");
      await cluster.clock.advance(1_000);
      cluster.server.fault = ({ path }) =>
        isLease(path) ? { kind: "refuse", code: 500, reason: "InternalError" } : undefined;
      await cluster.clock.advance(13_000);
      assert.equal(isLost(), true);
      const before = cluster.server.writes.length;
      cluster.addTrafficControl("tap");
      await cluster.clock.advance(30_000);
      assert.deepEqual(cluster.server.writes.slice(before), []);
    });
  });
}
