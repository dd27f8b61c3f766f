/**
 * Beside Antrea, on a cluster that taps: its CRD in place of ours and its feature gate, with real programmers and packets. Antrea
 * itself is not there. What is stored and said is in antrea-crd.test.ts, which npm test has the time for.
 */
import assert from "node:assert/strict";
import { REASONS, type NodeTrafficPlan } from "@ovs-traffic-control/api";
import { antreaDefinition } from "../support/antrea-crd";
import { COLLECTOR_ADDRESS as remoteIP } from "../support/e2e/collector";
import { eventually } from "../support/e2e/eventually";
import { stage } from "../support/e2e/hooks";
import { EARLY, refusal } from "../support/e2e/refusal";
import { condition, mirror, readTap, ready, tap, untap } from "../support/e2e/taps";
import { ping } from "../support/e2e/traffic";
import { long } from "../support/slow";

const CRD = "trafficcontrols.crd.antrea.io";
const vxlan = (vni: number) => mirror(`e2e-antrea-${vni}`, { vxlan: { remoteIP, vni } });

const kubectl = (...args: string[]): Promise<string> => stage().cluster.kubectl(args);

/** Puts the versions of a CRD in place of what is there; everything else, its owner too, stays. */
async function overwrite(versions: unknown): Promise<void> {
  const patch = [{ op: "replace", path: "/spec/versions", value: versions }];
  await kubectl("patch", "crd", CRD, "--type=json", "--patch", JSON.stringify(patch));
}

async function versionsNow(): Promise<unknown> {
  return (JSON.parse(await kubectl("get", "crd", CRD, "-o", "json")) as { spec: { versions: unknown } }).spec.versions;
}

/** Reasons of the Events about the TrafficControl. */
async function reasons(name: string): Promise<string[]> {
  const selector = `involvedObject.kind=TrafficControl,involvedObject.name=${name}`;
  const reason = "jsonpath={.items[*].reason}";
  return (await kubectl("get", "events", "-n", "default", "--field-selector", selector, "-o", reason)).split(" ");
}

/** The node's programmer says that it has all Pods of the TrafficControl. */
async function isPlanned(name: string, node: string): Promise<boolean> {
  const reference = {
    apiVersion: "ovs-traffic-control.dev/v1alpha1",
    kind: "NodeTrafficPlan",
    metadata: { name: node },
  };
  const plan = await stage().objects.read<NodeTrafficPlan>(reference);
  return plan?.status?.rules?.some((rule) => rule.name === name && rule.realizedPods > 0) === true;
}

async function copiesArrive(vni: number): Promise<void> {
  const { client, web } = stage();
  const packets = await stage().collect(() => ping(client, web[0].address, 3));
  assert.ok(packets.filter(({ tunnel }) => tunnel?.vni === vni).length >= 6, `${packets.length} packets arrived`);
}

long("Antrea's CRD in place of ours, on a cluster", function () {
  this.timeout(180_000);
  let ours: unknown;
  before(async () => {
    ours = await versionsNow();
  });
  after(() => overwrite(ours));

  it("keeps the taps, gets new ones and lets them go, refuses mistakes, and has no status written for ever", async () => {
    const { objects, web } = stage();
    const node = web[0].node;
    await tap(objects, vxlan(1));
    await overwrite(antreaDefinition().spec["versions"]);
    await eventually("it is said", async () => (await reasons("e2e-antrea-1")).includes(REASONS.schemaForeign));
    await copiesArrive(1);
    await objects.apply(vxlan(2));
    await eventually("the new one is in force", () => isPlanned("e2e-antrea-2", node), { seconds: 45 });
    await eventually("that is an Event", async () => (await reasons("e2e-antrea-2")).includes(REASONS.realized));
    await copiesArrive(2);
    const mistaken = mirror("e2e-antrea-3", { device: { name: "a-name-that-is-too-long" } }, { action: "Redirect" });
    const said = (await refusal(mistaken)) ?? "";
    assert.ok(said.startsWith(EARLY), said);
    assert.match(
      said,
      /spec\.returnPort.*\n.*spec\.targetPort\.device\.name|spec\.targetPort\.device\.name.*\n.*spec\.returnPort/,
    );
    const before = await readTap(objects, "e2e-antrea-2");
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    const after = await readTap(objects, "e2e-antrea-2");
    assert.equal(after?.status, undefined);
    assert.equal(after?.metadata.resourceVersion, before?.metadata.resourceVersion, "nobody writes to it");
    await untap(objects, "e2e-antrea-1");
    await overwrite(ours);
    assert.equal(condition(await ready(objects, "e2e-antrea-2"), "Ready")?.reason, REASONS.realized);
  });
});

long("Antrea's feature gate TrafficControl, on a cluster", function () {
  this.timeout(180_000);
  const metadata = { namespace: "kube-system", name: "antrea-config" };
  const reference = { apiVersion: "v1", kind: "ConfigMap", metadata };
  after(() => stage().objects.delete(reference));

  it("makes the operator take away its taps and stand down, until it is off", async () => {
    const { objects, web } = stage();
    await tap(objects, vxlan(4));
    await objects.apply({ ...reference, data: { "antrea-agent.conf": "featureGates:\n  TrafficControl: true\n" } });
    const found = await eventually(
      "it stands down",
      async () => {
        const now = await readTap(objects, "e2e-antrea-4");
        return condition(now, "Ready")?.reason === REASONS.stoodDown && now;
      },
      { seconds: 45 },
    );
    assert.deepEqual(found.metadata.finalizers ?? [], []);
    assert.ok(!(await isPlanned("e2e-antrea-4", web[0].node)), "the node has nothing in force");
    await objects.apply({ ...reference, data: { "antrea-agent.conf": "featureGates:\n  TrafficControl: false\n" } });
    const again = await eventually(
      "it acts again",
      async () => {
        const now = await readTap(objects, "e2e-antrea-4");
        return condition(now, "Ready")?.status === "True" && now;
      },
      { seconds: 45 },
    );
    assert.deepEqual(again.metadata.finalizers, ["ovs-traffic-control.dev/untap"]);
    await copiesArrive(4);
  });
});
