/**
 * kubectl trafficcontrol uninstall on a cluster whose operator was deleted without its drain. Installs the operator again as it
 * was, for the tests that follow. With LONG=1 only: removing and installing it is most of its time.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { REASONS, type TrafficControl } from "@ovs-traffic-control/api";
import { deploy } from "../../hack/deploy";
import { bundlePlugin } from "../../hack/plugin";
import { helm as helmBinary } from "../../hack/toolchain";
import type { BridgeState } from "../support/e2e/bridges";
import { COLLECTOR_ADDRESS } from "../support/e2e/collector";
import { stage } from "../support/e2e/hooks";
import { condition, mirror, readTap, tap } from "../support/e2e/taps";
import { long } from "../support/slow";

const NAMESPACE = "ovs-traffic-control";
const KEPT = "e2e-orphan";
const DELETED = "e2e-orphan-deleted";

interface Answer {
  exitCode: number;
  stdout: string;
  stderr: string;
}

long("kubectl trafficcontrol uninstall, after the operator was deleted without its drain", () => {
  let directory = "";
  let untouched: BridgeState[] = [];
  let beside: Answer;
  let orphaned: string[] = [];
  let said: Answer;
  let kept: TrafficControl | undefined;
  let deleted: TrafficControl | undefined;

  before(async () => {
    const { objects, cluster } = stage();
    directory = mkdtempSync(path.join(tmpdir(), "kubectl-plugin-"));
    await bundlePlugin(directory);
    untouched = await stage().bridges();
    await tap(objects, mirror(KEPT, { vxlan: { remoteIP: COLLECTOR_ADDRESS } }));
    await tap(objects, mirror(DELETED, { ovsInternal: { name: "orphan0" } }, { direction: "Egress" }));
    beside = await plugin(["uninstall"]);
    const image = ["get", "pods", "-n", NAMESPACE, "-o", "jsonpath={.items[0].spec.containers[0].image}"];
    const installed = await cluster.kubectl(image);
    const helm = ["uninstall", "ovs-traffic-control", "--namespace", NAMESPACE, "--no-hooks", "--wait"];
    const { exitCode, stderr } = await cluster.host(await helmBinary(), helm);
    assert.equal(exitCode, 0, stderr);
    await cluster.kubectl(["delete", "trafficcontrol", DELETED, "--wait=false"]);
    orphaned = await come();
    said = await plugin(["uninstall", "--image", installed]);
    [kept, deleted] = await Promise.all([readTap(objects, KEPT), readTap(objects, DELETED)]);
  });

  // The root hook deletes the TrafficControl after each test of this suite; what is asserted about it was therefore read above.
  after(async () => {
    rmSync(directory, { recursive: true });
    await deploy(stage().cluster);
  });

  it("has refused to run while the operator was there, and said what to run instead", () => {
    assert.equal(beside.exitCode, 1, beside.stdout);
    assert.match(
      beside.stderr,
      /The operator is there .*\n {2}helm uninstall ovs-traffic-control -n ovs-traffic-control/,
    );
  });

  it("takes from each node's bridge what the operator had left there", async () => {
    assert.equal(said.exitCode, 0, said.stderr + said.stdout);
    assert.match(said.stdout, /^Every node has confirmed that nothing of ours is left on it/m);
    assert.notDeepEqual(orphaned, [], "taps were left");
    assert.deepEqual(await come(), []);
  });

  it("leaves the TrafficControl without our finalizer and with a status that says so; one that was deleted goes", () => {
    assert.ok(kept !== undefined);
    assert.deepEqual(kept.metadata.finalizers ?? [], []);
    assert.equal(condition(kept, "Ready")?.reason, REASONS.operatorUninstalled);
    assert.equal(deleted, undefined);
  });

  it("deletes plans and what it has made itself, and says what else is in the cluster", async () => {
    const { cluster } = stage();
    assert.match(said.stdout, /^ {2}customresourcedefinition\S*\/trafficcontrols\.crd\.antrea\.io$/m);
    assert.equal(await cluster.kubectl(["get", "nodetrafficplans", "-o", "name"]), "");
    const made = ["get", "namespaces", "-l", "app.kubernetes.io/managed-by=kubectl-trafficcontrol", "-o", "name"];
    assert.equal(await cluster.kubectl(made), "");
  });

  function plugin(args: string[]): Promise<Answer> {
    const script = 'PATH="$0:$PATH" exec kubectl trafficcontrol "$@"';
    return stage().cluster.host("sh", ["-c", script, directory, ...args]);
  }

  /** What has come to the nodes' bridges; what has gone is the operator's own Pods. */
  async function come(): Promise<string[]> {
    const lines = await stage().bridgeDifferences(untouched);
    return lines.filter((line) => / \+ /.test(line) && !/Bridge "br-int" (ports|external_ids)=/.test(line));
  }
});
