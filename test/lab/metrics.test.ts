/** Prometheus' own opinion of both processes' metrics. In this suite because promtool is one of its prerequisites. */
import assert from "node:assert/strict";
import { execa } from "execa";
import { AdmissionMetrics } from "../../capabilities/admission/metrics";
import { EngineMetrics } from "../../capabilities/engine";
import { FakeCluster } from "../unit/controller/fake-cluster";

async function promtool(text: string): Promise<string> {
  const { exitCode, all } = await execa("promtool", ["check", "metrics"], { input: text, reject: false, all: true });
  return `${exitCode} ${all}`.trim();
}

describe("promtool check metrics", () => {
  it("has nothing to say about the controller's, with a TrafficControl in force", async function () {
    this.timeout(60_000);
    const cluster = new FakeCluster();
    cluster.addNode("node-1");
    cluster.addPod("web", "node-1");
    const { controller } = await cluster.start();
    cluster.addTrafficControl("tap");
    await cluster.clock.advance(5_000);
    assert.equal(await promtool(await controller.metrics()), "0");
  });

  it("has nothing to say about admission's", async function () {
    this.timeout(60_000);
    const metrics = new EngineMetrics({ processMetrics: true });
    new AdmissionMetrics(metrics).observe("validate", "allowed", 0.001);
    assert.equal(await promtool(await metrics.registry.metrics()), "0");
  });

  it("would have: a counter without _total is a mistake", async function () {
    this.timeout(60_000);
    assert.match(await promtool("# HELP a b\n# TYPE a counter\na 1\n"), /^[^0].*_total/s);
  });
});
