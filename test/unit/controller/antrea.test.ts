/** Beside Antrea: who acts on TrafficControls, and what becomes of their status where the CRD is Antrea's. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";
import { antreaFacts, definitionFacts, type RawDefinition } from "../../../capabilities/antrea";
import { FINALIZER, REASONS, TRAFFIC_CONTROL } from "../../../capabilities/api";
import { RESOURCES } from "../../../capabilities/engine";
import { antreaDefinition } from "../../support/antrea-crd";
import { FakeCluster } from "./fake-cluster";

const CONFIG = { resource: RESOURCES.configMaps, namespace: "kube-system", name: "antrea-config" };
const CRD = { resource: RESOURCES.customResourceDefinitions, name: "trafficcontrols.crd.antrea.io" };
const metadata = { name: "antrea-config", resourceVersion: "1", uid: "u" };
const agentConfig = (gates: string): { data: Record<string, string> } => ({
  data: { "antrea-agent.conf": `featureGates:\n${gates}\novsBridge: "br-int"\n` },
});
const ours = parse(readFileSync(path.join(import.meta.dirname, "../../../crds/trafficcontrols.yaml"), "utf8"), {
  maxAliasCount: -1,
}) as RawDefinition;

describe("Antrea's configuration", () => {
  const cases: [string, string, boolean][] = [
    ["the gate's own line", "  TrafficControl: true", true],
    ["the gate's line among others", "  Egress: true\n  TrafficControl: true\n  Multicast: false", true],
    ["all gates of alpha features", "  AllAlpha: true", true],
    ["the default, in a comment", "#  TrafficControl: false", false],
    ["the gate off beside all others", "  AllAlpha: true\n  TrafficControl: false", false],
    ["the gate off", "  TrafficControl: false", false],
    ["text that is no YAML", "  TrafficControl: [true", false],
  ];
  for (const [title, gates, serves] of cases)
    it(`${serves ? "tells" : "does not tell"} that its agents act on TrafficControls: ${title}`, () => {
      assert.equal(antreaFacts({ metadata, ...agentConfig(gates) }).servesTrafficControl, serves);
    });

  it("does not tell so without the agents' part", () => {
    assert.equal(antreaFacts({ metadata }).servesTrafficControl, false);
  });
});

describe("the CRD of TrafficControls", () => {
  it("is ours if it stores our status", () => {
    assert.equal(definitionFacts(ours).isForeign, false);
    assert.equal(definitionFacts(antreaDefinition() as unknown as RawDefinition).isForeign, true);
    const [version] = ours.spec.versions;
    assert.equal(definitionFacts({ ...ours, spec: { versions: [{ ...version!, subresources: {} }] } }).isForeign, true);
  });
});

describe("the controller beside Antrea", function () {
  this.timeout(60_000);

  async function tapped(before: (cluster: FakeCluster) => void = () => undefined): Promise<FakeCluster> {
    const cluster = new FakeCluster();
    for (const i of [1, 2]) {
      cluster.addNode(`node-${i}`);
      cluster.addPod(`web-${i}`, `node-${i}`);
    }
    before(cluster);
    cluster.addTrafficControl("tap");
    await cluster.start();
    await cluster.clock.advance(20_000);
    return cluster;
  }
  const metric = async (cluster: FakeCluster, name: string): Promise<string | undefined> =>
    (await cluster.lastController().metrics()).split("\n").find((line) => line.startsWith(`${name} `));
  const statusWrites = (cluster: FakeCluster): number =>
    cluster.server.writes.filter(({ path: at }) => at.endsWith("/status") && at.includes("trafficcontrols")).length;

  it("does nothing while its gate is on, says so, and lets the TrafficControl go", async () => {
    const cluster = await tapped(({ server }) => server.put(CONFIG, agentConfig("  TrafficControl: true")));
    assert.deepEqual([cluster.jobs(), cluster.plan("node-1")], [[], undefined]);
    assert.deepEqual(cluster.trafficControl("tap")?.metadata.finalizers, []);
    assert.equal(cluster.ready("tap"), `False ${REASONS.stoodDown}`);
    assert.match(cluster.readyMessage("tap"), /kube-system\/antrea-config/);
    assert.ok(cluster.events().includes(REASONS.stoodDown), cluster.events().join());
    assert.equal(await metric(cluster, "trafficcontrol_stood_down"), "trafficcontrol_stood_down 1");
  });

  it("takes away what is in force when the gate is turned on, and acts again when it is turned off", async () => {
    const cluster = await tapped(({ server }) => server.put(CONFIG, agentConfig("  Egress: true")));
    assert.equal(cluster.ready("tap"), "True Realized");
    cluster.behaviour.silent.add("node-2");
    cluster.server.put(CONFIG, agentConfig("  TrafficControl: true"));
    await cluster.clock.advance(5_000);
    assert.deepEqual(cluster.plan("node-1")?.spec.rules ?? [], []);
    assert.deepEqual(cluster.trafficControl("tap")?.metadata.finalizers, [FINALIZER], "node-2 has not confirmed yet");
    cluster.behaviour.silent.clear();
    await cluster.clock.advance(30_000);
    assert.deepEqual(cluster.trafficControl("tap")?.metadata.finalizers, []);
    assert.equal(cluster.ready("tap"), `False ${REASONS.stoodDown}`);
    assert.deepEqual(cluster.jobs(), []);
    cluster.server.remove(CONFIG);
    await cluster.clock.advance(20_000);
    assert.deepEqual(cluster.trafficControl("tap")?.metadata.finalizers, [FINALIZER]);
    assert.equal(cluster.ready("tap"), "True Realized");
    assert.equal(await metric(cluster, "trafficcontrol_stood_down"), "trafficcontrol_stood_down 0");
  });

  it("writes no status where the CRD has none, and tells by Events, metrics and plans", async () => {
    const cluster = await tapped(({ server }) => server.put(CRD, antreaDefinition()));
    assert.equal(statusWrites(cluster), 0);
    assert.equal(cluster.plan("node-1")?.status?.rules?.[0]?.realizedPods, 1);
    assert.deepEqual(cluster.events().sort(), [REASONS.realized, REASONS.schemaForeign]);
    assert.equal(await metric(cluster, "trafficcontrol_schema_foreign"), "trafficcontrol_schema_foreign 1");
    assert.equal(await metric(cluster, 'trafficcontrol_ready{name="tap"}'), 'trafficcontrol_ready{name="tap"} 1');
    cluster.behaviour.crashing.set("node-1", 70);
    cluster.server.remove({ resource: TRAFFIC_CONTROL, name: "tap" });
    await cluster.clock.advance(120_000);
    assert.equal(statusWrites(cluster), 0);
  });

  it("goes on with the status when the CRD becomes ours, and without it when it is overwritten", async () => {
    const cluster = await tapped(({ server }) => server.put(CRD, antreaDefinition()));
    cluster.server.put(CRD, { spec: ours.spec as unknown as Record<string, unknown> });
    await cluster.clock.advance(5_000);
    assert.equal(cluster.ready("tap"), "True Realized");
    const written = statusWrites(cluster);
    assert.equal(written, 1);
    cluster.server.put(CRD, antreaDefinition());
    cluster.addPod("web-3", "node-1");
    await cluster.clock.advance(20_000);
    assert.equal(statusWrites(cluster), written);
    assert.equal(
      cluster.events().filter((reason) => reason === REASONS.schemaForeign).length,
      1,
      "once in ten minutes",
    );
    assert.equal(cluster.plan("node-1")?.status?.realizedPods, 2);
  });
});
