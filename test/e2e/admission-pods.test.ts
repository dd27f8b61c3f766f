/** The admission Pods in a cluster: certificates that are overwritten or deleted come back, and no request fails meanwhile or in a restart. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "../support/e2e/eventually";
import { stage } from "../support/e2e/hooks";
import { keepCreating, refusal } from "../support/e2e/refusal";
import { manifest } from "../unit/admission/cases";
import { long, slow } from "../support/slow";

const NAMESPACE = ["-n", "ovs-traffic-control"];
const SECRET = [...NAMESPACE, "secret", "ovs-traffic-control-webhook-tls"];
const ADMISSION = [...NAMESPACE, "-l", "app.kubernetes.io/component=admission"];
const VALIDATING = ["validatingwebhookconfiguration", "ovs-traffic-control"];

const kubectl = (...args: string[]): Promise<string> => stage().cluster.kubectl(args);
const caBundle = (): Promise<string> =>
  kubectl("get", ...VALIDATING, "-o", "jsonpath={.webhooks[0].clientConfig.caBundle}");
const cas = async (): Promise<number> =>
  Buffer.from(await caBundle(), "base64")
    .toString()
    .split("BEGIN CERTIFICATE").length - 1;
/** Empty while there is none. */
const certificate = (): Promise<string> =>
  kubectl("get", ...SECRET, "--ignore-not-found", "-o", "jsonpath={.data.tls\\.crt}");
const restarts = (): Promise<string> =>
  kubectl(
    ...["get", "pods", ...ADMISSION],
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

  slow(
    "are made anew twice at once: no restart, no failed request, and the CAs before go when all serve the new",
    async function () {
      this.timeout(120_000);
      const pods = await restarts();
      const creating = keepCreating(manifest({ title: "", change: {} }, "e2e-certificates"));
      for (let times = 0; times < 2; times++) {
        const before = await certificate();
        await kubectl("delete", ...SECRET);
        await eventually("there is a new certificate", async () => !["", before].includes(await certificate()), {
          seconds: 30,
        });
      }
      assert.ok((await cas()) > 1, "the CAs of the certificates that are still served are trusted");
      // The admission Pods look every ten seconds.
      await eventually("one CA is trusted", async () => (await cas()) === 1, { seconds: 60, pauseMilliseconds: 500 });
      const { count, failures } = await creating.stop();
      assert.deepEqual(failures, []);
      assert.ok(count > 10, `only ${count} requests were made`);
      assert.equal(await restarts(), pods);
      assert.equal(await refusal(manifest({ title: "", change: {} }, "e2e-certificates")), undefined);
    },
  );
});

long("the loss of a node with an admission Pod", () => {
  it("fails no request but those that are on their way to it, until its Pod is known to be gone", async function () {
    this.timeout(240_000);
    const { cluster } = stage();
    const pods = await kubectl("get", "pods", ...ADMISSION, "-o", "jsonpath={.items[*].spec.nodeName}");
    const node = pods.split(" ")[0]!;
    const creating = keepCreating(manifest({ title: "", change: {} }, "e2e-loss"));
    let forgotten: number;
    await cluster.exec(node, "ip", ["link", "set", "eth0", "down"]);
    try {
      await eventually("the Service knows one Pod", async () => (await endpoints()).length === 1, { seconds: 90 });
      forgotten = performance.now();
      await sleep(15_000);
    } finally {
      await cluster.exec(node, "ip", ["link", "set", "eth0", "up"]);
    }
    const { count, failures } = await creating.stop();
    assert.ok(count > 100, `only ${count} requests were made`);
    assert.deepEqual(
      failures.filter(({ sentAt }) => sentAt > forgotten),
      [],
    );
    assert.deepEqual(
      failures.filter(({ message }) => !/failed calling webhook "validate\..*deadline exceeded/.test(message)),
      [],
    );
    console.log(`      ${count} requests, ${failures.length} of which failed: they were on their way to the lost node`);
    await kubectl("wait", `node/${node}`, "--for=condition=Ready", "--timeout=60s");
    await eventually("the Service knows both Pods", async () => (await endpoints()).length === 2, { seconds: 60 });
  });
});

/** Addresses that the admission Service leads to. */
async function endpoints(): Promise<string[]> {
  interface Slices {
    items: { endpoints?: { addresses: string[]; conditions: { ready?: boolean } }[] }[];
  }
  const selector = ["-l", "kubernetes.io/service-name=ovs-traffic-control-admission"];
  const slices = JSON.parse(await kubectl("get", "endpointslices", ...NAMESPACE, ...selector, "-o", "json")) as Slices;
  const found = slices.items.flatMap(({ endpoints: each = [] }) => each);
  return found.filter(({ conditions }) => conditions.ready === true).flatMap(({ addresses }) => addresses);
}
