/**
 * The webhook's certificate by a real cert-manager: issued, renewed, and given back. With LONG=1 only: the operator is installed
 * twice, and the kubelet takes up to two minutes to renew what it has mounted.
 */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { deploy } from "../../hack/deploy";
import { CertManager } from "../support/e2e/cert-manager";
import { eventually } from "../support/e2e/eventually";
import { stage } from "../support/e2e/hooks";
import { EARLY, refusal } from "../support/e2e/refusal";
import { manifest } from "../unit/admission/cases";
import { long } from "../support/slow";

const NAMESPACE = "ovs-traffic-control";
const NAME = "ovs-traffic-control-webhook";
const EXPIRY = "trafficcontrol_certificate_expiration_timestamp_seconds";

const kubectl = (...args: string[]): Promise<string> => stage().cluster.kubectl(args);

long("certificates by cert-manager", function () {
  this.timeout(300_000);
  let certManager: CertManager;

  before(async () => {
    const { cluster } = stage();
    certManager = await CertManager.start(cluster, NAMESPACE);
    try {
      await deploy(cluster, { values: { "certificates.certManager.enabled": true } });
    } catch (error) {
      throw new Error(`The operator did not start. cert-manager says:\n${certManager.tail}`, { cause: error });
    }
    // Those of the release before serve for a while a certificate that is not trusted any more (SECURITY.md).
    await eventually("the Pods before are gone", async () => (await admissionPods()).length === 2, { seconds: 60 });
  });

  afterEach(function () {
    if (this.currentTest?.state === "failed") console.error(certManager.tail);
  });

  after(async () => {
    await deploy(stage().cluster);
    await (certManager as CertManager | undefined)?.stop();
    await kubectl("delete", "secret", "-n", NAMESPACE, NAME, "ovs-traffic-control-ca", "--ignore-not-found");
  });

  it("are issued by a CA of the release's own, which the cainjector writes into both webhook configurations", async () => {
    const { ca, certificate } = await secret();
    assert.ok(new X509Certificate(certificate).checkIssued(new X509Certificate(ca)));
    const kinds = "mutatingwebhookconfigurations,validatingwebhookconfigurations";
    const bundles = (
      await kubectl("get", kinds, NAMESPACE, "-o", "jsonpath={.items[*].webhooks[*].clientConfig.caBundle}")
    )
      .split(" ")
      .map((bundle) => Buffer.from(bundle, "base64").toString().trim());
    assert.ok(bundles.length > 1);
    assert.deepEqual(new Set(bundles), new Set([ca.trim()]));
  });

  it("serve the webhook, for which the operator needs no right to any Secret", async () => {
    assert.ok(
      (await refusal(manifest({ title: "", change: { action: "Redirect" } }, "e2e-cert")))?.includes(EARLY.trim()),
    );
    for (const account of ["admission", "controller"]) {
      const as = `--as=system:serviceaccount:${NAMESPACE}:ovs-traffic-control-${account}`;
      const { stdout } = await stage().cluster.host("kubectl", [
        "auth",
        "can-i",
        "get",
        "secrets",
        "-n",
        NAMESPACE,
        as,
      ]);
      assert.equal(stdout.trim(), "no", account);
    }
  });

  it("are renewed without a restart, and the webhook answers with the new one", async () => {
    const before = await secret();
    const pods = await admissionPods();
    const restarts = await restartCounts();
    // As `cmctl renew` does it.
    const issuing = { type: "Issuing", status: "True", reason: "ManuallyTriggered", message: "by a test" };
    const lastTransitionTime = new Date().toISOString();
    const patch = JSON.stringify({
      status: { conditions: [...(await conditions()), { ...issuing, lastTransitionTime }] },
    });
    await kubectl("patch", "certificate", NAME, "-n", NAMESPACE, "--subresource=status", "--type=merge", "-p", patch);
    const renewed = await eventually(
      "there is another certificate",
      async () => {
        const found = await secret();
        return found.certificate !== before.certificate && found;
      },
      { seconds: 60, pauseMilliseconds: 500 },
    );
    const until = Date.parse(new X509Certificate(renewed.certificate).validTo) / 1000;
    assert.ok(until > Date.parse(new X509Certificate(before.certificate).validTo) / 1000, "it is valid for longer");
    for (const pod of pods)
      await eventually(`${pod} serves it`, async () => (await expiry(pod)) === until, {
        seconds: 180,
        pauseMilliseconds: 1_000,
      });
    assert.equal(await refusal(manifest({ title: "", change: {} }, "e2e-renewal")), undefined);
    assert.ok(await refusal(manifest({ title: "", change: { action: "Redirect" } }, "e2e-renewal")));
    assert.equal(await restartCounts(), restarts);
  });

  async function secret(): Promise<{ ca: string; certificate: string }> {
    const { data } = JSON.parse(await kubectl("get", "secret", NAME, "-n", NAMESPACE, "-o", "json")) as {
      data: Record<string, string>;
    };
    const text = (key: string): string => Buffer.from(data[key] ?? "", "base64").toString();
    return { ca: text("ca.crt"), certificate: text("tls.crt") };
  }

  async function conditions(): Promise<object[]> {
    return JSON.parse(
      await kubectl("get", "certificate", NAME, "-n", NAMESPACE, "-o", "jsonpath={.status.conditions}"),
    ) as object[];
  }

  async function admissionPods(): Promise<string[]> {
    return (await ofAdmission("{.items[*].metadata.name}")).split(" ");
  }

  function restartCounts(): Promise<string> {
    return ofAdmission("{.items[*].metadata.name} {.items[*].status.containerStatuses[*].restartCount}");
  }

  function ofAdmission(jsonpath: string): Promise<string> {
    const selector = ["-n", NAMESPACE, "-l", "app.kubernetes.io/component=admission"];
    return kubectl("get", "pods", ...selector, "-o", `jsonpath=${jsonpath}`);
  }

  async function expiry(pod: string): Promise<number> {
    const metrics = await kubectl("get", "--raw", `/api/v1/namespaces/${NAMESPACE}/pods/${pod}:8080/proxy/metrics`);
    return Number(new RegExp(`^${EXPIRY}(?:\\{[^}]*\\})? (\\S+)$`, "m").exec(metrics)?.[1]);
  }
});
