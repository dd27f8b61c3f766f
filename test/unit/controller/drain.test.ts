import assert from "node:assert/strict";
import { NODE_TRAFFIC_PLAN, REASONS } from "../../../capabilities/api";
import { RESOURCES } from "../../../capabilities/engine";
import { FakeCluster } from "./fake-cluster";

/** Two nodes with a web Pod each, all of them tapped; the controller has gone and left its Lease. */
async function tapped(): Promise<FakeCluster> {
  const cluster = new FakeCluster();
  for (const i of [1, 2]) {
    cluster.addNode(`node-${i}`);
    cluster.addPod(`web-${i}`, `node-${i}`);
  }
  cluster.addTrafficControl("tap");
  const { controller } = await cluster.start();
  await cluster.clock.advance(20_000);
  assert.equal(cluster.ready("tap"), "True Realized");
  const stopped = controller.stop();
  await cluster.clock.advance(5_000);
  await stopped;
  return cluster;
}

async function drained(cluster: FakeCluster, seconds: number): Promise<string[]> {
  let result: { nodes: string[] } | { error: unknown } | undefined;
  cluster.drain().then(
    (nodes) => (result = { nodes }),
    (error: unknown) => (result = { error }),
  );
  await cluster.clock.advance(seconds * 1000);
  assert.ok(result !== undefined, `not over after ${seconds} s`);
  if ("error" in result) throw result.error;
  return result.nodes;
}

describe("the drain", function () {
  this.timeout(60_000);

  it("empties the plans, waits for the nodes, and leaves the TrafficControl without finalizer", async () => {
    const cluster = await tapped();
    assert.deepEqual(await drained(cluster, 60), []);
    assert.deepEqual(cluster.trafficControl("tap")?.metadata.finalizers ?? [], []);
    assert.equal(cluster.trafficControl("tap")?.metadata.deletionTimestamp, undefined);
    assert.deepEqual(cluster.jobs(), []);
    assert.deepEqual(cluster.server.all({ resource: NODE_TRAFFIC_PLAN }), []);
  });

  it("says in the status that nothing is tapped any more", async () => {
    const cluster = await tapped();
    await drained(cluster, 60);
    assert.equal(cluster.ready("tap"), `False ${REASONS.operatorUninstalled}`);
    assert.equal(cluster.trafficControl("tap")?.status?.["nodes"], "0/0");
  });

  it("sends the controller home before it does anything else", async () => {
    const cluster = await tapped();
    const before = cluster.server.writes.length;
    await drained(cluster, 60);
    const { method, path, body } = cluster.server.writes[before]!;
    const deployment = "/apis/apps/v1/namespaces/operator/deployments/ovs-traffic-control-controller/scale";
    assert.deepEqual(
      { method, path, body },
      { method: "mergePatch", path: deployment, body: { spec: { replicas: 0 } } },
    );
  });

  it("gives a node that does not answer the whole deadline, then lets go and names it; its plan stays for the next release", async () => {
    const cluster = await tapped();
    cluster.behaviour.silent.add("node-2");
    const running = cluster.drain(120);
    await cluster.clock.advance(100_000);
    assert.equal(cluster.trafficControl("tap")?.metadata.finalizers?.length, 1, "node-2 has not confirmed");
    await cluster.clock.advance(60_000);
    assert.deepEqual(await running, ["node-2"]);
    assert.deepEqual(cluster.trafficControl("tap")?.metadata.finalizers ?? [], []);
    assert.deepEqual(cluster.plan("node-2")?.spec.rules, []);
    assert.equal(cluster.plan("node-2")?.spec.retiring?.length, 1);
  });

  it("does not say that nothing is tapped where a node has not confirmed it, and names the node", async () => {
    const cluster = await tapped();
    cluster.addTrafficControl("nowhere", { appliedTo: { podSelector: { matchLabels: { app: "nobody" } } } });
    cluster.behaviour.silent.add("node-2");
    assert.deepEqual(await drained(cluster, 160), ["node-2"]);
    assert.equal(cluster.ready("tap"), `False ${REASONS.operatorUninstalled}`);
    assert.match(cluster.readyMessage("tap"), /node-2 has not confirmed/);
    assert.doesNotMatch(cluster.readyMessage("tap"), /nothing is tapped/);
    assert.match(cluster.readyMessage("nowhere"), /nothing is tapped/, "it was never on that node");
  });

  it("does not wait for a node that is gone", async () => {
    const cluster = await tapped();
    cluster.behaviour.silent.add("node-2");
    cluster.remove(RESOURCES.nodes, "node-2");
    assert.deepEqual(await drained(cluster, 60), []);
  });

  it("puts a TrafficControl that slips in meanwhile into no plan, and leaves no finalizer on it", async () => {
    const cluster = await tapped();
    cluster.behaviour.silent.add("node-2");
    const running = cluster.drain();
    await cluster.clock.advance(10_000);
    cluster.addTrafficControl("late");
    await cluster.clock.advance(10_000);
    assert.deepEqual(cluster.plan("node-1")?.spec.rules ?? [], []);
    cluster.behaviour.silent.clear();
    await cluster.clock.advance(60_000);
    await running;
    assert.deepEqual(cluster.trafficControl("late")?.metadata.finalizers ?? [], []);
  });

  it("taps again, without anybody's help, when the release is installed again", async () => {
    const cluster = await tapped();
    await drained(cluster, 60);
    await cluster.start("again");
    await cluster.clock.advance(60_000);
    assert.equal(cluster.ready("tap"), "True Realized");
  });
});
