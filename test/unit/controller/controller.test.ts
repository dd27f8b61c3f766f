import assert from "node:assert/strict";
import { CONDITIONS, FINALIZER, NODE_TRAFFIC_PLAN, REASONS, TRAFFIC_CONTROL } from "../../../capabilities/api";
import type { TrafficControlStatus } from "../../../capabilities/api";
import { RESOURCES } from "../../../capabilities/engine";
import { FakeCluster } from "./fake-cluster";

/** Two nodes with a web Pod each. */
function twoNodes(): FakeCluster {
  const cluster = new FakeCluster();
  for (const i of [1, 2]) {
    cluster.addNode(`node-${i}`);
    cluster.addPod(`web-${i}`, `node-${i}`);
  }
  return cluster;
}

async function started(cluster = twoNodes()): Promise<FakeCluster> {
  await cluster.start();
  await cluster.clock.advance(100);
  return cluster;
}

function ruleNames(cluster: FakeCluster, node: string): string[] | undefined {
  return cluster.plan(node)?.spec.rules.map(({ name }) => name);
}

describe("the controller", function () {
  this.timeout(30_000);

  it("writes a plan and a Job for each node with selected Pods, and says so when they are realized", async () => {
    const cluster = await started();
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(20);
    assert.deepEqual([ruleNames(cluster, "node-1"), ruleNames(cluster, "node-2")], [["tap"], ["tap"]]);
    assert.equal(cluster.jobs().length, 2, "the Job is made beside the plan, not after it is confirmed");
    await cluster.clock.advance(500);
    assert.equal(cluster.ready("tap"), "False Programming");
    await cluster.clock.advance(5_000);
    assert.equal(cluster.ready("tap"), "True Realized");
    const { nodes, selectedPods, target } = cluster.trafficControl("tap")!.status!;
    assert.deepEqual([nodes, selectedPods, target], ["2/2", 2, "vxlan:10.0.10.2"]);
    assert.ok(cluster.events().includes(REASONS.realized));
  });

  it("writes nothing any more once everything is as it should be", async () => {
    const cluster = await started();
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(30_000);
    const before = cluster.server.writes.length;
    await cluster.clock.advance(300_000);
    const later = cluster.server.writes.slice(before).filter(({ path }) => !path.includes("/leases/"));
    assert.deepEqual(later, []);
  });

  it("makes no Job and no plan where nothing is selected", async () => {
    const cluster = twoNodes();
    cluster.addNode("node-3");
    cluster.addPod("db", "node-3", { app: "db" });
    cluster.addTrafficControl("tap");
    await started(cluster);
    await cluster.clock.advance(10_000);
    assert.equal(cluster.plan("node-3"), undefined);
    assert.deepEqual([...new Set(cluster.jobsCreated)].sort(), ["node-1", "node-2"]);
  });

  it("adds a missing finalizer before any plan names the TrafficControl", async () => {
    const cluster = await started();
    cluster.addTrafficControl("tap", {}, { finalizers: undefined });
    await cluster.clock.advance(5_000);
    assert.deepEqual(cluster.trafficControl("tap")?.metadata.finalizers, [FINALIZER]);
    const order = cluster.server.writes.map(({ path, method }) => `${method} ${path}`);
    const finalizer = order.findIndex((write) => write.startsWith("jsonPatch"));
    const plan = order.findIndex((write) => write.startsWith("apply"));
    assert.ok(finalizer !== -1 && finalizer < plan, order.join("\n"));
  });

  it("keeps other finalizers when it adds and removes its own", async () => {
    const cluster = await started();
    cluster.addTrafficControl("tap", {}, { finalizers: ["someone/else"] });
    await cluster.clock.advance(5_000);
    assert.deepEqual(cluster.trafficControl("tap")?.metadata.finalizers, ["someone/else", FINALIZER]);
    cluster.remove(TRAFFIC_CONTROL, "tap");
    await cluster.clock.advance(5_000);
    assert.deepEqual(cluster.trafficControl("tap")?.metadata.finalizers, ["someone/else"]);
  });

  it("lets a TrafficControl go only when every node has confirmed that it taps no more", async () => {
    const cluster = await started();
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(5_000);
    cluster.behaviour.silent.add("node-2");
    cluster.remove(TRAFFIC_CONTROL, "tap");
    await cluster.clock.advance(5_000);
    assert.deepEqual([ruleNames(cluster, "node-1"), ruleNames(cluster, "node-2")], [[], []]);
    assert.deepEqual(cluster.plan("node-2")?.spec.retiring?.length, 1);
    assert.notEqual(cluster.trafficControl("tap"), undefined, "node-2 has not answered");
    cluster.behaviour.silent.clear();
    await cluster.clock.advance(1_000);
    assert.equal(cluster.trafficControl("tap"), undefined);
    assert.ok(cluster.events().includes(REASONS.cleanupCompleted));
  });

  it("gives a programmer time to undo what was wanted for a moment only, which it does not confirm", async () => {
    const cluster = await started();
    cluster.addTrafficControl("stays");
    await cluster.clock.advance(5_000);
    const confirmed = cluster.plan("node-1")?.status?.observedHash;
    cluster.behaviour.silent.add("node-1").add("node-2");
    cluster.addTrafficControl("brief", { targetPort: { ovsInternal: { name: "tap0" } } });
    await cluster.clock.advance(20);
    assert.deepEqual(ruleNames(cluster, "node-1"), ["stays", "brief"]);
    cluster.remove(TRAFFIC_CONTROL, "brief");
    await cluster.clock.advance(1_000);
    assert.equal(cluster.plan("node-1")?.spec.hash, confirmed);
    assert.notEqual(cluster.trafficControl("brief"), undefined);
    await cluster.clock.advance(3_000);
    assert.equal(cluster.trafficControl("brief"), undefined);
  });

  it("gives a node that does not answer 60 seconds, then lets go and says so", async () => {
    const cluster = await started();
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(5_000);
    cluster.behaviour.silent.add("node-2");
    cluster.remove(TRAFFIC_CONTROL, "tap");
    await cluster.clock.advance(59_000);
    assert.notEqual(cluster.trafficControl("tap"), undefined);
    await cluster.clock.advance(2_000);
    assert.equal(cluster.trafficControl("tap"), undefined);
    assert.ok(cluster.events().includes(REASONS.cleanupAbandoned));
  });

  it("does not wait for a node that is gone, and leaves neither plan nor Job of it", async () => {
    const cluster = await started();
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(5_000);
    cluster.behaviour.silent.add("node-2");
    cluster.remove(RESOURCES.nodes, "node-2");
    cluster.remove(RESOURCES.pods, "web-2", "default");
    cluster.remove(TRAFFIC_CONTROL, "tap");
    await cluster.clock.advance(3_000);
    assert.equal(cluster.trafficControl("tap"), undefined);
    assert.equal(cluster.plan("node-2"), undefined);
    assert.ok(cluster.jobs().every(({ metadata }) => !metadata.name.includes("node-2")));
  });

  it("ends the programmer of a node that is gone before it deletes its plan: without one it would untie a machine that lives on", async () => {
    const cluster = await started();
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(5_000);
    const before = cluster.server.writes.length;
    cluster.remove(RESOURCES.nodes, "node-2");
    await cluster.clock.advance(3_000);
    const deletions = cluster.server.writes.slice(before).filter(({ method }) => method === "delete");
    assert.deepEqual(
      deletions.map(({ path }) => /jobs|nodetrafficplans/.exec(path)?.[0]),
      ["jobs", "nodetrafficplans"],
    );
    assert.ok(!cluster.tidied.has("node-2"), "the programmer has never seen that nothing is wanted");
  });

  it("removes plan and Job when the programmer has nothing left and has ended", async () => {
    const cluster = await started();
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(5_000);
    cluster.remove(TRAFFIC_CONTROL, "tap");
    await cluster.clock.advance(2_000);
    assert.deepEqual(ruleNames(cluster, "node-1"), [], "an empty plan stays while the programmer lingers");
    await cluster.clock.advance(20_000);
    assert.deepEqual([cluster.plan("node-1"), cluster.plan("node-2"), cluster.jobs()], [undefined, undefined, []]);
  });

  it("makes no Job on a node that is not ready, and says so; goes on when it is", async () => {
    const cluster = twoNodes();
    cluster.addNode("node-2", false);
    cluster.addTrafficControl("tap");
    await started(cluster);
    await cluster.clock.advance(5_000);
    assert.deepEqual(cluster.jobsCreated, ["node-1"]);
    assert.equal(cluster.ready("tap"), "True Realized", "nodes that are not ready do not count");
    const { nodes, failures } = cluster.trafficControl("tap")!.status! as {
      nodes: string;
      failures: { node: string; reason: string }[];
    };
    assert.deepEqual(
      [nodes, failures.map(({ node, reason }) => [node, reason])],
      ["1/2", [["node-2", REASONS.nodeNotReady]]],
    );
    cluster.addNode("node-2", true);
    await cluster.clock.advance(5_000);
    assert.equal(cluster.trafficControl("tap")?.status?.["nodes"], "2/2");
  });

  it("starts a failed programmer again, slower each time, and says what it died of", async () => {
    const cluster = await started();
    cluster.behaviour.crashing.set("node-1", 69);
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(60_000);
    const attempts = cluster.jobsCreated.filter((node) => node === "node-1").length;
    assert.ok(attempts >= 4 && attempts <= 9, `${attempts} attempts in a minute`);
    assert.equal(cluster.ready("tap"), `False ${REASONS.ovsUnreachable}`);
    cluster.behaviour.crashing.clear();
    await cluster.clock.advance(60_000);
    assert.equal(cluster.ready("tap"), "True Realized");
  });

  it("does not try a programmer that cannot read its plan again and again, but does so at once with another plan", async () => {
    const cluster = await started();
    cluster.behaviour.crashing.set("node-1", 64);
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(30_000);
    const before = cluster.jobsCreated.filter((node) => node === "node-1").length;
    assert.ok(before <= 4, `${before} attempts`);
    cluster.behaviour.crashing.clear();
    cluster.addPod("another", "node-1");
    await cluster.clock.advance(3_000);
    assert.equal(cluster.ready("tap"), "True Realized");
  });

  it("makes a new Job for a node that was made anew under the same name", async () => {
    const cluster = await started();
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(5_000);
    cluster.remove(RESOURCES.nodes, "node-1");
    cluster.addNode("node-1", true, "another-uid");
    await cluster.clock.advance(10_000);
    assert.equal(cluster.plan("node-1")?.spec.nodeUID, "another-uid");
    assert.equal(cluster.jobsCreated.filter((node) => node === "node-1").length, 2);
    assert.equal(cluster.ready("tap"), "True Realized");
  });

  it("puts a Redirect into the plan, and tells a younger one of the Pods that it does not get", async () => {
    const cluster = await started();
    const ports = {
      action: "Redirect",
      targetPort: { device: { name: "t" } },
      returnPort: { device: { name: "r" } },
    } as const;
    cluster.addTrafficControl("first", ports);
    await cluster.clock.advance(5_000);
    cluster.addTrafficControl("second", ports);
    await cluster.clock.advance(5_000);
    assert.deepEqual(ruleNames(cluster, "node-1"), ["first", "second"]);
    assert.equal(cluster.ready("first"), "True Realized");
    const conflicted = (name: string): string | undefined => {
      const { conditions = [] } = (cluster.trafficControl(name)?.status ?? {}) as TrafficControlStatus;
      return conditions.find(({ type }) => type === CONDITIONS.conflicted)?.message;
    };
    assert.equal(conflicted("first"), undefined);
    assert.match(conflicted("second") ?? "", /TrafficControl first, .* redirects \d+ Pods?/);
    cluster.remove(TRAFFIC_CONTROL, "first");
    await cluster.clock.advance(5_000);
    assert.equal(conflicted("second"), undefined);
  });

  it("tells every node where the tunnels of all TrafficControls end, in one write for each change", async () => {
    const cluster = await started();
    cluster.addPod("db-1", "node-1", { app: "db" });
    cluster.addTrafficControl("tap", { targetPort: { ovsInternal: { name: "tap0" } } });
    await cluster.clock.advance(5_000);
    assert.equal(cluster.plan("node-2")?.spec.collectors, undefined);
    const hash = cluster.plan("node-2")?.spec.hash;
    cluster.addTrafficControl("elsewhere", { appliedTo: { podSelector: { matchLabels: { app: "db" } } } });
    await cluster.clock.advance(5_000);
    assert.deepEqual(cluster.plan("node-2")?.spec.collectors, [{ remoteIP: "10.0.10.2", udpPort: 4789 }]);
    assert.notEqual(cluster.plan("node-2")?.spec.hash, hash);
    assert.deepEqual(ruleNames(cluster, "node-2"), ["tap"]);
  });

  it("gives of two TrafficControls that cannot both be the older one, and the other when that is gone", async () => {
    const cluster = await started();
    cluster.addTrafficControl("first", { targetPort: { ovsInternal: { name: "tap0" } } });
    await cluster.clock.advance(2_000);
    cluster.addTrafficControl("second", { targetPort: { device: { name: "tap0" } } });
    await cluster.clock.advance(5_000);
    assert.deepEqual(ruleNames(cluster, "node-1"), ["first"]);
    assert.equal(cluster.ready("second"), `False ${REASONS.conflictsWith}`);
    cluster.remove(TRAFFIC_CONTROL, "first");
    await cluster.clock.advance(5_000);
    assert.deepEqual(ruleNames(cluster, "node-1"), ["second"]);
    assert.equal(cluster.ready("second"), "True Realized");
  });

  it("follows Pods and labels", async () => {
    const cluster = await started();
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(5_000);
    cluster.addPod("web-3", "node-1");
    cluster.addPod("web-2", "node-2", { app: "no-more" });
    await cluster.clock.advance(3_000);
    assert.deepEqual(
      cluster.plan("node-1")?.spec.pods.map(({ name }) => name),
      ["web-1", "web-3"],
    );
    assert.deepEqual(ruleNames(cluster, "node-2"), []);
    assert.deepEqual(
      [cluster.ready("tap"), cluster.trafficControl("tap")?.status?.["nodes"]],
      ["True Realized", "1/1"],
    );
  });

  it("stays Ready while a new Pod is being programmed, for ten seconds", async () => {
    const cluster = await started();
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(5_000);
    cluster.behaviour.silent.add("node-1");
    cluster.addPod("web-3", "node-1");
    await cluster.clock.advance(9_000);
    assert.match(cluster.ready("tap"), /^True/);
    assert.equal(cluster.trafficControl("tap")?.status?.["nodes"], "1/2", "the numbers follow at once");
    await cluster.clock.advance(3_000);
    assert.equal(cluster.ready("tap"), `False ${REASONS.programming}`);
    cluster.behaviour.silent.clear();
    await cluster.clock.advance(3_000);
    assert.equal(cluster.ready("tap"), "True Realized");
  });

  it("writes a status at most once a second", async () => {
    const cluster = await started();
    cluster.addTrafficControl("tap");
    const times: number[] = [];
    const count = (): number =>
      cluster.server.writes.filter(({ path }) => path.endsWith("/trafficcontrols/tap/status")).length;
    for (let i = 0; i < 200; i++) {
      cluster.addPod(`p${i % 7}`, `node-${1 + (i % 2)}`, { app: i % 3 === 0 ? "web" : "db" });
      const before = count();
      await cluster.clock.advance(50);
      if (count() > before) times.push(cluster.clock.monotonic());
    }
    const gaps = times.slice(1).map((time, i) => time - times[i]!);
    assert.ok(times.length >= 8, `${times.length} writes in 10 s`);
    assert.ok(Math.min(...gaps) >= 950, `gaps ${gaps.join(" ")}`);
  });

  it("names a Pod that owns the remoteIP in an Event and does not tap it", async () => {
    const cluster = await started();
    cluster.addTrafficControl("tap", { targetPort: { vxlan: { remoteIP: `10.244.0.${"web-1".length}` } } });
    await cluster.clock.advance(5_000);
    assert.ok(cluster.events().includes(REASONS.collectorSelected));
    assert.equal(cluster.trafficControl("tap")?.status?.["selectedPods"], 0);
  });

  it("keeps the last good plan when the next one would be too large, and says so", async () => {
    const cluster = await started();
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(5_000);
    for (let i = 0; i < 1_000; i++) cluster.addPod(`many-${i}`, "node-1");
    await cluster.clock.advance(15_000);
    assert.deepEqual(
      cluster.plan("node-1")?.spec.pods.map(({ name }) => name),
      ["web-1"],
    );
    assert.equal(cluster.ready("tap"), `False ${REASONS.planTooLarge}`);
  });

  it("clears up after nodes that vanished while nobody was looking", async () => {
    const cluster = twoNodes();
    cluster.server.put(
      { resource: NODE_TRAFFIC_PLAN, name: "ghost" },
      {
        spec: { nodeUID: "x", hash: "h", pods: [], rules: [], classes: [] },
      },
    );
    await started(cluster);
    await cluster.clock.advance(1_000);
    assert.equal(cluster.plan("ghost"), undefined);
  });
});
