/** What becomes of Jobs: how many at a time, when they are renewed, what a restart of a node means, and oneShot mode. */
import assert from "node:assert/strict";
import { FINALIZER, NODE_TRAFFIC_PLAN, REASONS, TRAFFIC_CONTROL } from "../../../capabilities/api";
import { renewalAge } from "../../../capabilities/delivery";
import { RESOURCES } from "../../../capabilities/engine";
import { FakeCluster } from "./fake-cluster";

const HOUR_MS = 3_600_000;

function nodes(count: number, environment: ConstructorParameters<typeof FakeCluster>[0] = {}): FakeCluster {
  const cluster = new FakeCluster(environment);
  for (let i = 1; i <= count; i++) {
    cluster.addNode(`node-${i}`);
    cluster.addPod(`web-${i}`, `node-${i}`);
  }
  return cluster;
}

describe("Jobs of many nodes", function () {
  this.timeout(60_000);

  it("are made at the rate that the budget gives", async () => {
    const cluster = nodes(30, { jobsPerSecond: 2 });
    await cluster.start();
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(5_000);
    const soon = cluster.jobsCreated.length;
    assert.ok(soon >= 8 && soon <= 13, `${soon} Jobs in five seconds`);
    await cluster.clock.advance(20_000);
    assert.equal(cluster.jobsCreated.length, 30);
    assert.equal(cluster.ready("tap"), "True Realized");
  });

  it("are never more on their way than the budget allows, and go on where some are stuck", async () => {
    const cluster = nodes(12, { jobsInFlight: 3, jobsPerSecond: 100 });
    for (const name of ["node-1", "node-2", "node-3", "node-4"]) cluster.behaviour.unschedulable.add(name);
    await cluster.start();
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(300_000);
    assert.ok(cluster.mostStarting <= 4 + 3, `${cluster.mostStarting} on their way`);
    assert.equal(cluster.jobsCreated.length, 12, "those that are stuck keep nobody waiting for ever");
  });

  it("are kept back by a budget of one until the one before runs", async () => {
    const cluster = nodes(5, { jobsInFlight: 1, jobsPerSecond: 100 });
    await cluster.start();
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(30_000);
    assert.deepEqual([cluster.mostStarting, cluster.jobsCreated.length], [1, 5]);
  });

  it("are renewed between 8 and 11 hours, each at its own time, one programmer at a time", async () => {
    const ages = Array.from({ length: 200 }, (_, i) => renewalAge(`00000000-0000-4000-8000-${i}`) / HOUR_MS);
    assert.ok(Math.min(...ages) >= 8 && Math.max(...ages) <= 11, ages.join(" "));
    assert.ok(Math.max(...ages) - Math.min(...ages) > 2.5, "spread out");
    const cluster = nodes(1);
    await cluster.start();
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(5_000);
    const age = (hours: number): void => {
      const { metadata } = cluster.jobs()[0]!;
      const creationTimestamp = new Date(cluster.clock.now() - hours * HOUR_MS).toISOString();
      const path = { resource: RESOURCES.jobs, namespace: "nodes", name: metadata.name };
      cluster.server.put(path, { metadata: { creationTimestamp } });
    };
    age(7.9);
    cluster.touchNode("node-1");
    await cluster.clock.advance(5_000);
    assert.equal(cluster.jobsCreated.length, 1);
    age(11.1);
    await cluster.clock.advance(610_000);
    assert.equal(cluster.jobsCreated.length, 2);
    assert.deepEqual([cluster.ready("tap"), cluster.mostProgrammers], ["True Realized", 1]);
  });

  it("are not renewed again and again by a controller whose clock is half a day ahead", async () => {
    const cluster = nodes(3, { jobsInFlight: 1, jobsPerSecond: 100 });
    const first = await cluster.start("first");
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(5_000);
    first.kill();
    cluster.jobsBehind = 12 * HOUR_MS;
    for (const { metadata } of cluster.jobs()) {
      const creationTimestamp = new Date(cluster.clock.now() - 12 * HOUR_MS).toISOString();
      const path = { resource: RESOURCES.jobs, namespace: "nodes", name: metadata.name };
      cluster.server.put(path, { metadata: { creationTimestamp } });
    }
    await cluster.start("second");
    await cluster.clock.advance(120_000);
    assert.equal(cluster.jobsCreated.length, 6, "each once");
    assert.deepEqual([cluster.ready("tap"), cluster.mostProgrammers], ["True Realized", 1]);
  });

  it("come back by themselves for their renewal, without any event", async () => {
    const cluster = nodes(1);
    await cluster.start();
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(5_000);
    const { name, uid } = cluster.jobs()[0]!.metadata;
    const creationTimestamp = new Date(cluster.clock.now() + 620_000 - renewalAge(uid)).toISOString();
    cluster.server.put({ resource: RESOURCES.jobs, namespace: "nodes", name }, { metadata: { creationTimestamp } });
    cluster.touchNode("node-1");
    await cluster.clock.advance(615_000);
    assert.equal(cluster.jobs()[0]!.metadata.uid, uid);
    await cluster.clock.advance(15_000);
    assert.notEqual(cluster.jobs()[0]?.metadata.uid, uid);
  });

  it("are replaced when the image changes, within the budget and one programmer at a time", async () => {
    const cluster = nodes(6, { jobsInFlight: 2, jobsPerSecond: 100 });
    const first = await cluster.start("first");
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(20_000);
    first.kill();
    await cluster.start("second", { programmerImage: "image:2" });
    cluster.mostStarting = 0;
    await cluster.clock.advance(60_000);
    assert.equal(cluster.jobsCreated.length, 12);
    assert.ok(cluster.mostStarting <= 2, `${cluster.mostStarting} on their way`);
    assert.deepEqual([cluster.ready("tap"), cluster.mostProgrammers], ["True Realized", 1]);
  });
});

describe("a node", function () {
  this.timeout(60_000);

  it("that is cordoned gets its programmer like any other", async () => {
    const cluster = nodes(1);
    cluster.server.put({ resource: RESOURCES.nodes, name: "node-1" }, { spec: { unschedulable: true } });
    await cluster.start();
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(5_000);
    assert.equal(cluster.ready("tap"), "True Realized");
  });

  it("whose programmer's Pod is refused says so, and where to read by whom", async () => {
    const cluster = nodes(1);
    cluster.behaviour.unschedulable.add("node-1");
    await cluster.start();
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(10_000);
    assert.doesNotMatch(cluster.readyMessage("tap"), /is not made/);
    await cluster.clock.advance(20_000);
    assert.match(
      cluster.readyMessage("tap"),
      /SecurityContextConstraints.*kubectl -n nodes describe job programmer-node-1-/s,
    );
    cluster.behaviour.unschedulable.clear();
    await cluster.clock.advance(20_000);
    assert.equal(cluster.ready("tap"), "True Realized");
  });

  it("that has been restarted is not believed to tap until its programmer says so again", async () => {
    const cluster = nodes(1);
    cluster.addNode("node-1", true, "uid-1", "boot-1");
    await cluster.start();
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(5_000);
    const { hash } = cluster.plan("node-1")!.spec;
    cluster.behaviour.silent.add("node-1");
    cluster.addNode("node-1", true, "uid-1", "boot-2");
    await cluster.clock.advance(15_000);
    assert.notEqual(cluster.plan("node-1")!.spec.hash, hash);
    assert.equal(cluster.ready("tap"), `False ${REASONS.programming}`);
    cluster.behaviour.silent.clear();
    await cluster.clock.advance(5_000);
    assert.equal(cluster.ready("tap"), "True Realized");
  });
});

describe("oneShot mode", function () {
  this.timeout(60_000);
  const oneShot = (count = 1): FakeCluster => nodes(count, { programmerMode: "oneShot" });
  const configMaps = (cluster: FakeCluster): string[] =>
    cluster.server.all({ resource: RESOURCES.configMaps, namespace: "nodes" }).map(({ metadata }) => metadata.name);

  it("runs a Job per plan that has it as a file and no token, and says what it has achieved", async () => {
    const cluster = oneShot(2);
    await cluster.start();
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(500);
    const [job] = cluster.jobs();
    const { spec } = (job!.spec as { template: { spec: Record<string, unknown> } }).template;
    assert.equal(spec["automountServiceAccountToken"], false);
    const [container] = spec["containers"] as { command: string[] }[];
    assert.deepEqual(container!.command.slice(-3), ["--plan", "/etc/ovs-traffic-control/plan.json", "--once"]);
    assert.notEqual(cluster.ready("tap"), "True Realized");
    await cluster.clock.advance(5_000);
    assert.equal(cluster.ready("tap"), "True Realized");
    const [ready] = cluster.trafficControl("tap")!.status!["conditions"] as { message: string }[];
    assert.match(ready!.message, /as of each node's last run\.$/);
    assert.deepEqual([cluster.inForce("node-1"), cluster.inForce("node-2")], [["tap"], ["tap"]]);
    await cluster.clock.advance(60_000);
    assert.deepEqual([cluster.jobs(), cluster.jobsCreated.length], [[], 2], "nothing stays, nothing is done twice");
  });

  it("runs another one for each change, one after the other", async () => {
    const cluster = oneShot();
    await cluster.start();
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(700);
    cluster.addTrafficControl("other", { targetPort: { ovsInternal: { name: "tap0" } } });
    await cluster.clock.advance(20_000);
    assert.deepEqual(cluster.inForce("node-1"), ["tap", "other"]);
    assert.deepEqual([cluster.ready("tap"), cluster.ready("other")], ["True Realized", "True Realized"]);
    assert.equal(cluster.mostProgrammers, 1);
  });

  it("unties before it lets go, and leaves nothing behind", async () => {
    const cluster = oneShot();
    await cluster.start();
    cluster.addTrafficControl("tap", {}, { finalizers: [FINALIZER] });
    await cluster.clock.advance(5_000);
    cluster.remove(TRAFFIC_CONTROL, "tap");
    await cluster.clock.advance(300);
    assert.notEqual(cluster.trafficControl("tap"), undefined, "until the Job has run");
    await cluster.clock.advance(20_000);
    assert.deepEqual(cluster.inForce("node-1"), []);
    assert.deepEqual(
      [cluster.trafficControl("tap"), cluster.plan("node-1"), cluster.jobs()],
      [undefined, undefined, []],
    );
    assert.deepEqual(configMaps(cluster), []);
  });

  it("takes back what a Job has done for a plan that was withdrawn before the Job ran", async () => {
    const cluster = oneShot();
    await cluster.start();
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(10_000);
    cluster.behaviour.unschedulable.add("node-1");
    cluster.addTrafficControl("other", { targetPort: { ovsInternal: { name: "tap0" } } });
    await cluster.clock.advance(5_000);
    cluster.remove(TRAFFIC_CONTROL, "other");
    await cluster.clock.advance(10_000);
    assert.notEqual(cluster.trafficControl("other"), undefined, "its Job may still run");
    cluster.behaviour.unschedulable.clear();
    await cluster.clock.advance(30_000);
    assert.deepEqual(cluster.inForce("node-1"), ["tap"]);
    assert.deepEqual([cluster.trafficControl("other"), cluster.ready("tap")], [undefined, "True Realized"]);
  });

  it("keeps no place in the budget for a node that needs no Job any more", async () => {
    const cluster = nodes(3, { programmerMode: "oneShot", jobsInFlight: 1, jobsPerSecond: 100 });
    await cluster.start();
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(30_000);
    assert.equal(cluster.ready("tap"), "True Realized");
    for (const node of ["node-1", "node-2", "node-3"]) cluster.behaviour.unschedulable.add(node);
    cluster.addTrafficControl("other", { targetPort: { ovsInternal: { name: "tap0" } } });
    await cluster.clock.advance(5_000);
    assert.equal(cluster.jobs().length, 1, "two nodes wait");
    cluster.remove(TRAFFIC_CONTROL, "other");
    await cluster.clock.advance(5_000);
    cluster.behaviour.unschedulable.clear();
    await cluster.clock.advance(20_000);
    assert.deepEqual([cluster.trafficControl("other"), cluster.ready("tap")], [undefined, "True Realized"]);
  });

  it("tries again where Pods were pending, slower each time, and says why", async () => {
    const cluster = oneShot();
    cluster.behaviour.crashing.set("node-1", 65);
    await cluster.start();
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(60_000);
    assert.equal(cluster.ready("tap"), `False ${REASONS.podsPending}`);
    const attempts = cluster.jobsCreated.length;
    assert.ok(attempts >= 4 && attempts <= 9, `${attempts} in a minute`);
    cluster.behaviour.crashing.clear();
    await cluster.clock.advance(60_000);
    assert.equal(cluster.ready("tap"), "True Realized");
  });

  it("runs again after a restart of the node", async () => {
    const cluster = oneShot();
    cluster.addNode("node-1", true, "uid-1", "boot-1");
    await cluster.start();
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(10_000);
    assert.equal(cluster.jobsCreated.length, 1);
    cluster.addNode("node-1", true, "uid-1", "boot-2");
    await cluster.clock.advance(10_000);
    assert.equal(cluster.jobsCreated.length, 2);
    assert.equal(cluster.ready("tap"), "True Realized");
  });

  it("ends resident programmers when the mode changes, also where nothing is left to do, and the other way round", async () => {
    const cluster = nodes(2);
    const first = await cluster.start("first");
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(10_000);
    const resident = new Set(cluster.jobs().map(({ metadata }) => metadata.uid));
    assert.equal(resident.size, 2);
    first.kill();
    const second = await cluster.start("second", { programmerMode: "oneShot" });
    await cluster.clock.advance(60_000);
    assert.deepEqual(cluster.jobs(), [], "what they have confirmed needs no other Job");
    cluster.addTrafficControl("other", { targetPort: { ovsInternal: { name: "tap0" } } });
    await cluster.clock.advance(30_000);
    assert.deepEqual(cluster.inForce("node-1"), ["tap", "other"]);
    second.kill();
    await cluster.start("third");
    await cluster.clock.advance(60_000);
    assert.equal(cluster.jobs().length, 2);
    assert.deepEqual([cluster.ready("other"), cluster.mostProgrammers], ["True Realized", 1]);
  });

  it("makes no Job for a plan that is too large to be written", async () => {
    const cluster = oneShot();
    for (let i = 0; i < 1_001; i++) cluster.addPod(`many-${i}`, "node-1");
    await cluster.start();
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(20_000);
    assert.deepEqual(
      [cluster.jobsCreated, cluster.server.get({ resource: NODE_TRAFFIC_PLAN, name: "node-1" })],
      [[], undefined],
    );
    assert.equal(cluster.ready("tap"), `False ${REASONS.planTooLarge}`);
  });
});
