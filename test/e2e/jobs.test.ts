/** What becomes of the node programmers' Jobs on a real cluster when nodes are cordoned, lost, or deleted and made again. */
import assert from "node:assert/strict";
import { REASONS } from "@ovs-traffic-control/api";
import { up } from "../../hack/cluster";
import { COLLECTOR_ADDRESS as remoteIP } from "../support/e2e/collector";
import { eventually } from "../support/e2e/eventually";
import { stage } from "../support/e2e/hooks";
import type { Reference } from "../support/e2e/objects";
import { JOBS_NAMESPACE } from "../support/e2e/operator";
import { mirror, readTap, ready, tap } from "../support/e2e/taps";
import { ping, requestsTo } from "../support/e2e/traffic";

const NAME = "e2e-jobs";
const PATIENCE = { seconds: 90, pauseMilliseconds: 100 };
const mirrored = mirror(NAME, { vxlan: { remoteIP } });

type Job = Reference & { metadata: { uid: string } };
type ProgrammerPod = Reference & { spec: { nodeName?: string }; status?: { phase?: string } };

describe("resident programmers", function () {
  this.timeout(240_000);

  it("come to a cordoned node like to any other", async () => {
    const { objects, client } = stage();
    const cordon = (unschedulable: boolean): Promise<unknown> =>
      objects.patch({ apiVersion: "v1", kind: "Node", metadata: { name: client.node }, spec: { unschedulable } });
    await cordon(true);
    try {
      await stage().startPod({ name: "cordoned", node: client.node, labels: { app: "cordoned" } });
      const appliedTo = { podSelector: { matchLabels: { app: "cordoned" } } };
      const { status } = await tap(objects, mirror(NAME, { vxlan: { remoteIP } }, { appliedTo }));
      assert.equal(status?.nodes, "1/1");
    } finally {
      await cordon(false);
    }
  });

  it("are not waited for on a node whose kubelet is gone, which is named; when it is back, the node is programmed", async () => {
    const { cluster, objects, web } = stage();
    const [{ node: lost }] = web;
    // One that lives on would go on with its work.
    for (const job of await jobs())
      await objects.delete({ apiVersion: "batch/v1", kind: "Job", metadata: job.metadata });
    await eventually("no programmer is left", async () => (await programmers("Running")).length === 0, PATIENCE);
    process.kill(cluster.pidOf(`${lost}-kubelet`)!, "SIGKILL");
    try {
      await eventually("the node is not ready", () => isNotReady(lost), PATIENCE);
      await objects.apply(mirrored);
      const { status } = await eventually(`${NAME} is Ready without ${lost}`, () => ready(objects, NAME), PATIENCE);
      assert.deepEqual([status?.nodes, status?.desiredNodes], ["1/2", 2]);
      assert.deepEqual(
        status?.failures?.map(({ node, reason }) => [node, reason]),
        [[lost, REASONS.nodeNotReady]],
      );
    } finally {
      await up({ name: cluster.name, nodes: cluster.nodes.length, report: () => undefined });
    }
    await eventually(
      "both nodes are programmed",
      async () => (await readTap(objects, NAME))?.status?.nodes === "2/2",
      PATIENCE,
    );
  });

  it("are replaced when their node is deleted and made again under its name", async () => {
    const { cluster, objects, web } = stage();
    const { node } = web[0];
    const uidOf = async (): Promise<string | undefined> =>
      (await objects.read<Job>({ apiVersion: "v1", kind: "Node", metadata: { name: node } }))?.metadata.uid;
    await tap(objects, mirrored);
    const old = await uidOf();
    await objects.delete({ apiVersion: "v1", kind: "Node", metadata: { name: node } });
    // The kubelet finds itself again in the Node that the next `up` makes.
    await up({ name: cluster.name, nodes: cluster.nodes.length, report: () => undefined });
    await eventually(
      "the new node's plan is confirmed",
      async () => {
        interface Plan {
          spec: { nodeUID: string; hash: string };
          status?: { observedHash?: string };
        }
        const reference = { apiVersion: "ovs-traffic-control.dev/v1alpha1", kind: "NodeTrafficPlan" };
        const plan = await objects.read<Plan>({ ...reference, metadata: { name: node } });
        assert.deepEqual([plan?.spec.nodeUID, plan?.status?.observedHash], [await uidOf(), plan?.spec.hash]);
        return true;
      },
      PATIENCE,
    );
    assert.notEqual(await uidOf(), old);
    await ready(objects, NAME);
    const packets = await stage().collect(() => ping(stage().client, web[0].address, 5));
    assert.equal(requestsTo(packets, web[0].address).length, 5);
  });
});

function jobs(): Promise<Job[]> {
  return stage().objects.list<Job>("batch/v1", "Job", JOBS_NAMESPACE);
}

async function programmers(phase: string): Promise<ProgrammerPod[]> {
  const pods = await stage().objects.list<ProgrammerPod>("v1", "Pod", JOBS_NAMESPACE);
  return pods.filter(({ status }) => status?.phase === phase);
}

async function isNotReady(name: string): Promise<boolean> {
  interface Node {
    status?: { conditions?: { type: string; status: string }[] };
  }
  const node = await stage().objects.read<Node>({ apiVersion: "v1", kind: "Node", metadata: { name } });
  return node?.status?.conditions?.some(({ type, status }) => type === "Ready" && status !== "True") === true;
}
