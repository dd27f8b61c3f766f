/** Crashes and refusals at every single write: the end is always the one of an undisturbed run. */
import assert from "node:assert/strict";
import { TRAFFIC_CONTROL } from "../../../capabilities/api";
import type { Fault } from "../engine/fake-api-server";
import { FakeCluster } from "./fake-cluster";

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

async function undisturbed(): Promise<{ endState: unknown; writes: string[] }> {
  const cluster = new FakeCluster();
  await cluster.start();
  await scenario(cluster);
  return { endState: cluster.endState(), writes: writesOf(cluster) };
}

describe("the controller under faults", function () {
  this.timeout(120_000);
  let reference: { endState: unknown; writes: string[] };

  before(async () => {
    reference = await undisturbed();
    assert.ok(reference.writes.length > 12, reference.writes.join("\n"));
  });

  /** Calls back before each write of the controller with its number. */
  function faulty(onWrite: (number: number) => Fault | undefined): FakeCluster {
    const cluster = new FakeCluster();
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

  it("ends the same if it is killed before any of its writes, and another one takes over", async () => {
    for (let k = 0; k < reference.writes.length; k++) {
      let kill: () => void = () => undefined;
      const cluster = faulty((number) => {
        if (number === k) kill();
        return number === k ? { kind: "refuse", code: 0, reason: "Killed" } : undefined;
      });
      ({ kill } = await cluster.start("first"));
      await cluster.clock.advance(100);
      await cluster.start("second");
      await scenario(cluster);
      await quiet(cluster, `killed before write ${k} (${reference.writes[k]!})`);
    }
  });

  it("ends the same if it is killed after any of its writes", async () => {
    for (let k = 0; k < reference.writes.length; k++) {
      let kill: () => void = () => undefined;
      const cluster = faulty((number) => {
        if (number === k) kill();
        return undefined;
      });
      ({ kill } = await cluster.start("first"));
      await cluster.clock.advance(100);
      await cluster.start("second");
      await scenario(cluster);
      await quiet(cluster, `killed after write ${k} (${reference.writes[k]!})`);
    }
  });

  it("ends the same if any write is refused, with 409, 500 or 429", async () => {
    const codes = [409, 500, 429];
    for (let k = 0; k < reference.writes.length; k++) {
      const code = codes[k % codes.length]!;
      const cluster = faulty((number) => (number === k ? { kind: "refuse", code, reason: "Refused" } : undefined));
      await cluster.start();
      await scenario(cluster);
      await quiet(cluster, `write ${k} (${reference.writes[k]!}) refused with ${code}`);
    }
  });

  it("ends the same if any write is done, but its answer is lost", async () => {
    for (let k = 0; k < reference.writes.length; k++) {
      const cluster = faulty((number) => (number === k ? { kind: "lose" } : undefined));
      await cluster.start();
      await scenario(cluster);
      await quiet(cluster, `answer to write ${k} (${reference.writes[k]!}) lost`);
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
      const cluster = new FakeCluster();
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

  it("writes nothing after it has lost the Lease", async () => {
    const cluster = new FakeCluster();
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
