/**
 * Antrea's CRD in place of ours, and its feature gate, on a real API server with the real controller: what is stored, what is said,
 * and that nobody writes for ever. No cluster behind it: the node's programmer is a hand that confirms every plan.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer, request, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { FINALIZER, NODE_TRAFFIC_PLAN, REASONS, TRAFFIC_CONTROL } from "@ovs-traffic-control/api";
import type { NodeTrafficPlan, TrafficControl } from "@ovs-traffic-control/api";
import { parse } from "yaml";
import { format, mistakes } from "../../capabilities/admission";
import { issue } from "../../capabilities/admission/certificates/issue";
import { startController, type Controller } from "../../capabilities/controller";
import { Connection, KubernetesClient, must, readEnvironment, RESOURCES } from "../../capabilities/engine";
import { antreaDefinition } from "../support/antrea-crd";
import { ApiServer, CRDS } from "../support/e2e/api-server";
import { eventually } from "../support/e2e/eventually";
import { AdmissionProcess } from "../support/e2e/admission-process";
import { EARLY, refusal } from "../support/e2e/refusal";
import { condition, mirror } from "../support/e2e/taps";
import { INVALID, manifest } from "../unit/admission/cases";

const PLAN_CRD = path.join(import.meta.dirname, "../../crds/nodetrafficplans.yaml");
const DEFINITION = { resource: CRDS, name: "trafficcontrols.crd.antrea.io" };
const ADMISSION_REGISTRATION = { group: "admissionregistration.k8s.io", version: "v1" };
const CONFIG = { resource: RESOURCES.configMaps, namespace: "kube-system" };
const PATIENCE = { seconds: 60 };

describe("Antrea's CRD in place of ours, on an API server without a cluster", function () {
  this.timeout(180_000);
  let server: ApiServer;
  let controller: Controller;
  let connection: Connection;
  let admission: AdmissionProcess;
  let front: Server;
  let hand: NodeJS.Timeout;
  let ours: unknown;

  before(async () => {
    server = await ApiServer.withTrafficControls();
    admission = await AdmissionProcess.start(server);
    await Promise.all([prepare(), callEarlyWebhook()]);
    ours = must(await server.client.get<{ spec: { versions: unknown } }>(DEFINITION), "Reading the CRD").spec.versions;
    const config = new KubeConfig();
    config.loadFromFile(server.kubeconfig);
    connection = new Connection(config);
    const settings = { PROGRAMMER_IMAGE: "none", KEEP_CERTIFICATES: "false", POD_NAME: "controller" };
    controller = await startController(readEnvironment(settings), {
      connect: (metrics, mayWrite) => new KubernetesClient({ connection, metrics, mayWrite }),
    });
    hand = setInterval(() => void confirm(), 100);
    must(await server.client.create({ resource: TRAFFIC_CONTROL }, tap("one")), "Creating one");
    await becomes("one", REASONS.realized);
  });
  after(async () => {
    clearInterval(hand);
    await controller.stop();
    connection.close();
    front.close();
    front.closeAllConnections();
    await admission.stop();
    await server.stop();
  });

  /** A node with a Pod labelled app=web on it. */
  async function prepare(): Promise<void> {
    const { client } = server;
    const make = async (
      resource: (typeof RESOURCES)[keyof typeof RESOURCES] | typeof CRDS,
      object: object,
      namespace?: string,
    ): Promise<void> => void must(await client.create({ resource, namespace }, object), "Preparing the API server");
    await make(CRDS, parse(await readFile(PLAN_CRD, "utf8"), { maxAliasCount: -1 }) as object);
    const jobs = { apiVersion: "v1", kind: "Namespace", metadata: { name: "ovs-traffic-control-nodes" } };
    await make(RESOURCES.namespaces, jobs);
    await make(RESOURCES.nodes, { apiVersion: "v1", kind: "Node", metadata: { name: "n1" } });
    const conditions = [{ type: "Ready", status: "True", reason: "Test", message: "It is said to be." }];
    must(
      await client.mergePatch(
        { resource: RESOURCES.nodes, name: "n1", subresource: "status" },
        { status: { conditions } },
      ),
      "Node",
    );
    // Without a controller manager nobody makes it.
    const accounts = { resource: { group: "", version: "v1", plural: "serviceaccounts" }, namespace: "default" };
    const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default" } };
    await eventually("the ServiceAccount is there", async () => (await client.create(accounts, account)).ok, PATIENCE);
    const spec = { nodeName: "n1", containers: [{ name: "web", image: "none" }] };
    await make(
      RESOURCES.pods,
      { apiVersion: "v1", kind: "Pod", metadata: { name: "web", labels: { app: "web" } }, spec },
      "default",
    );
  }

  /** The first of the chart's webhooks. Here is no Service to call it by, and its certificate is for that: `front` hands on. */
  async function callEarlyWebhook(): Promise<void> {
    const issued = await issue("localhost", Date.now(), 3_600_000);
    const { port, serverName: servername, certificate } = admission;
    front = createServer({ key: issued.key, cert: issued.certificate }, (asked, answer) => {
      const { method, url: path, headers } = asked;
      const through = { host: "127.0.0.1", port, servername, ca: certificate.ca };
      asked.pipe(
        request({ ...through, method, path, headers }, (answered) => {
          answer.writeHead(answered.statusCode ?? 500, answered.headers);
          answered.pipe(answer);
        }),
      );
    });
    await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
    const clientConfig = {
      url: `https://localhost:${(front.address() as AddressInfo).port}/validate/v1alpha2`,
      caBundle: Buffer.from(issued.ca).toString("base64"),
    };
    const { group, version, plural } = TRAFFIC_CONTROL;
    const early = {
      ...{ name: "early.ovs-traffic-control.dev", clientConfig, failurePolicy: "Ignore", sideEffects: "None" },
      ...{ admissionReviewVersions: ["v1"], timeoutSeconds: 5 },
      rules: [
        {
          apiGroups: [group],
          apiVersions: [version],
          resources: [plural],
          operations: ["CREATE", "UPDATE"],
          scope: "Cluster",
        },
      ],
    };
    const configuration = { metadata: { name: "ovs-traffic-control" }, webhooks: [early] };
    const resource = { ...ADMISSION_REGISTRATION, plural: "mutatingwebhookconfigurations" };
    const created = await server.client.create({ resource }, configuration);
    must(created, "Creating the webhook configuration");
  }

  /** What a programmer would say to the plan as it is. */
  async function confirm(): Promise<void> {
    const path = { resource: NODE_TRAFFIC_PLAN, name: "n1" };
    const found = await server.client.get<NodeTrafficPlan>(path);
    if (!found.ok) return;
    const { hash, rules } = found.value.spec;
    if (found.value.status?.observedHash === hash) return;
    const results = rules.map(({ name, uid, generation }) => ({
      name,
      uid,
      generation,
      realizedPods: 1,
      pendingPods: [],
    }));
    await server.client.mergePatch(
      { ...path, subresource: "status" },
      { status: { observedHash: hash, rules: results } },
    );
  }

  const tap = (name: string): TrafficControl => mirror(name, { vxlan: { remoteIP: "10.0.0.9" } });
  const read = async (name: string): Promise<TrafficControl | undefined> => {
    const found = await server.client.get<TrafficControl>({ resource: TRAFFIC_CONTROL, name });
    return found.ok ? found.value : undefined;
  };
  const becomes = (name: string, reason: string): Promise<unknown> =>
    eventually(`${name} is ${reason}`, async () => condition(await read(name), "Ready")?.reason === reason, PATIENCE);
  async function overwrite(versions: unknown): Promise<void> {
    const patch = [{ op: "replace" as const, path: "/spec/versions", value: versions }];
    must(await server.client.jsonPatch(DEFINITION, patch), "Overwriting the CRD");
  }
  const said = (name: string, reason: string): Promise<unknown> =>
    eventually(
      `an Event ${reason} about ${name}`,
      async () => {
        const path = { resource: RESOURCES.events, namespace: "default" };
        const { items } = must(
          await server.client.list<{ reason: string; regarding: { name: string } }>(path),
          "Events",
        );
        return items.some((event) => event.reason === reason && event.regarding.name === name);
      },
      PATIENCE,
    );
  /** With Antrea's schema behind the webhook, which would let most of them pass. */
  async function refusesMistakes(): Promise<void> {
    for (const given of INVALID) {
      const mistaken = { ...manifest(given), metadata: { name: "three" } };
      const message = (await refusal(mistaken, server.kubeconfig)) ?? "";
      assert.ok(message.startsWith(EARLY), `${given.title}: ${message}`);
      for (const mistake of mistakes(mistaken))
        assert.ok(message.includes(format(mistake)), `${given.title}: ${message}`);
    }
  }
  const metric = async (name: string): Promise<string | undefined> =>
    (await controller.metrics()).split("\n").find((line) => line.startsWith(`${name} `));

  it("is noticed when it overwrites ours: results are told without a status, mistakes refused, deletions end, and ours brings it back", async () => {
    await overwrite(antreaDefinition().spec["versions"]);
    await said("one", REASONS.schemaForeign);
    assert.equal(await metric("trafficcontrol_schema_foreign"), "trafficcontrol_schema_foreign 1");
    must(await server.client.create({ resource: TRAFFIC_CONTROL }, tap("two")), "Creating two");
    await said("two", REASONS.realized);
    const before = await read("two");
    // Twice as long as the shortest pause between two writes.
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const after = await read("two");
    await refusesMistakes();
    assert.equal(after?.status, undefined);
    assert.equal(after?.metadata.resourceVersion, before?.metadata.resourceVersion, "nobody has written to it");
    must(await server.client.delete({ resource: TRAFFIC_CONTROL, name: "two" }), "Deleting two");
    await eventually("two is gone", async () => (await read("two")) === undefined, PATIENCE);
    await overwrite(ours);
    await becomes("one", REASONS.realized);
    assert.equal(await metric("trafficcontrol_schema_foreign"), "trafficcontrol_schema_foreign 0");
  });

  it("and its feature gate: the operator lets go and stands down until it is off", async () => {
    const data = (gate: boolean): object => ({
      data: { "antrea-agent.conf": `featureGates:\n  TrafficControl: ${gate}\n` },
    });
    const config = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "antrea-config" } };
    must(await server.client.create(CONFIG, { ...config, ...data(true) }), "Turning the gate on");
    await becomes("one", REASONS.stoodDown);
    assert.deepEqual((await read("one"))?.metadata.finalizers ?? [], []);
    const plan = await server.client.get<NodeTrafficPlan>({ resource: NODE_TRAFFIC_PLAN, name: "n1" });
    assert.deepEqual(plan.ok ? plan.value.spec.rules : [], []);
    assert.equal(await metric("trafficcontrol_stood_down"), "trafficcontrol_stood_down 1");
    must(await server.client.mergePatch({ ...CONFIG, name: "antrea-config" }, data(false)), "Turning the gate off");
    await becomes("one", REASONS.realized);
    assert.deepEqual((await read("one"))?.metadata.finalizers, [FINALIZER]);
  });
});
