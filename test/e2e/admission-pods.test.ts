/** The admission Pods in a cluster: certificates that are overwritten or deleted come back, and no request fails meanwhile or in a restart. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "../support/e2e/eventually";
import { stage } from "../support/e2e/hooks";
import { keepCreating } from "../support/e2e/refusal";
import { manifest } from "../unit/admission/cases";

const NAMESPACE = ["-n", "ovs-traffic-control"];
const SECRET = [...NAMESPACE, "secret", "ovs-traffic-control-webhook-tls"];
const VALIDATING = ["validatingwebhookconfiguration", "ovs-traffic-control"];

const kubectl = (...args: string[]): Promise<string> => stage().cluster.kubectl(args);
const caBundle = (): Promise<string> =>
  kubectl("get", ...VALIDATING, "-o", "jsonpath={.webhooks[0].clientConfig.caBundle}");
const certificate = (): Promise<string> => kubectl("get", ...SECRET, "-o", "jsonpath={.data.tls\\.crt}");
const restarts = (): Promise<string> =>
  kubectl(
    ...["get", "pods", ...NAMESPACE, "-l", "app.kubernetes.io/component=admission"],
    ...["-o", "jsonpath={.items[*].metadata.name} {.items[*].status.containerStatuses[*].restartCount}"],
  );

describe("the admission Deployment", () => {
  it("is restarted, one Pod after the other, without a failed request", async function () {
    this.timeout(180_000);
    const creating = keepCreating(manifest({ title: "", change: {} }, "e2e-restart"));
    await kubectl("rollout", "restart", ...NAMESPACE, "deployment/ovs-traffic-control-admission");
    await kubectl("rollout", "status", ...NAMESPACE, "deployment/ovs-traffic-control-admission", "--timeout=120s");
    // The last of the old Pods still drains.
    await sleep(8_000);
    const { count, failures } = await creating.stop();
    assert.deepEqual(failures, []);
    assert.ok(count > 20, `only ${count} requests were made`);
  });
});

describe("the webhook's certificates", () => {
  it("are trusted again after caBundle was overwritten", async function () {
    this.timeout(60_000);
    const before = await caBundle();
    await kubectl(
      "patch",
      ...VALIDATING,
      "--type=json",
      "-p",
      '[{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"}]',
    );
    await eventually("caBundle is back", async () => (await caBundle()) === before, { seconds: 30 });
  });

  it("are made anew when their Secret is deleted: served without a restart, and no request fails", async function () {
    this.timeout(120_000);
    const [before, pods] = [await certificate(), await restarts()];
    const creating = keepCreating(manifest({ title: "", change: {} }, "e2e-certificates"));
    await kubectl("delete", ...SECRET);
    await eventually("there is a new certificate", async () => (await certificate()) !== before, { seconds: 30 });
    // The admission Pods look every ten seconds.
    await sleep(12_000);
    const { count, failures } = await creating.stop();
    assert.deepEqual(failures, []);
    assert.ok(count > 10, `only ${count} requests were made`);
    assert.equal(await restarts(), pods);
    const logs = await kubectl("logs", ...NAMESPACE, "-l", "app.kubernetes.io/component=admission", "--since=30s");
    assert.equal(logs.match(/serving a new certificate/g)?.length, 2);
  });
});
