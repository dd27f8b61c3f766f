/** The chart, by the real helm on a real API server where Antrea's release owns the CRD of TrafficControls. */
import assert from "node:assert/strict";
import path from "node:path";
import { execa } from "execa";
import { helm as helmBinary } from "../../hack/toolchain";
import { must } from "../../capabilities/engine";
import { antreaDefinition } from "../support/antrea-crd";
import { ApiServer, CRDS } from "../support/e2e/api-server";
import { long } from "../support/slow";

const CHART = path.join(import.meta.dirname, "../../charts/ovs-traffic-control");
const OWNER = { "meta.helm.sh/release-name": "antrea", "meta.helm.sh/release-namespace": "kube-system" };

interface Definition {
  metadata: { annotations: Record<string, string>; generation: number };
  spec: unknown;
}

long("the chart where Antrea owns the CRD", function () {
  this.timeout(180_000);
  let server: ApiServer;
  let untouched: Definition;

  before(async () => {
    server = await ApiServer.start();
    const definition = antreaDefinition();
    const owned = { ...definition, metadata: { ...definition.metadata, annotations: OWNER } };
    must(await server.client.create({ resource: CRDS }, owned), "Creating Antrea's CRD");
    untouched = await theirs();
  });
  after(() => server.stop());

  const theirs = async (): Promise<Definition> => {
    const found = await server.client.get<Definition>({ resource: CRDS, name: "trafficcontrols.crd.antrea.io" });
    return must(found, "Reading the CRD");
  };
  const unchanged = async (): Promise<void> => {
    const { metadata, spec } = await theirs();
    assert.deepEqual(
      [metadata.annotations, metadata.generation, spec],
      [OWNER, untouched.metadata.generation, untouched.spec],
    );
  };
  async function helm(...args: string[]): Promise<{ exitCode?: number | undefined; stderr: string }> {
    const all = [...args, "--namespace", "ovs-traffic-control", "--kubeconfig", server.kubeconfig];
    return execa(await helmBinary(), all, { reject: false });
  }

  it("refuses to take it over", async () => {
    const { exitCode, stderr } = await helm("install", "ovs-traffic-control", CHART, "--create-namespace");
    assert.notEqual(exitCode, 0);
    assert.match(stderr, /trafficcontrols\.crd\.antrea\.io.*antrea/s);
    await unchanged();
  });

  it("installs beside it with crds.enabled=false, and leaves it as it was when it goes", async () => {
    const values = ["--set", "crds.enabled=false"];
    const installed = await helm("upgrade", "--install", "ovs-traffic-control", CHART, "--create-namespace", ...values);
    assert.equal(installed.exitCode, 0, installed.stderr);
    await unchanged();
    const own = await server.client.get({ resource: CRDS, name: "nodetrafficplans.ovs-traffic-control.dev" });
    assert.ok(own.ok, "its own CRD is there");
    // The drain needs a kubelet: uninstall.test.ts.
    const removed = await helm("uninstall", "ovs-traffic-control", "--no-hooks");
    assert.equal(removed.exitCode, 0, removed.stderr);
    await unchanged();
  });
});
