/** What becomes of the node programmers' Jobs on a real cluster: renewal within the budget, nodes that leave and come back, and oneShot mode. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { CONDITIONS, REASONS } from "@ovs-traffic-control/api";
import { up } from "../../hack/cluster";
import { deploy } from "../../hack/deploy";
import { systemClock, type Clock } from "../../capabilities/engine";
import { COLLECTOR_ADDRESS as remoteIP } from "../support/e2e/collector";
import { eventually } from "../support/e2e/eventually";
import { stage } from "../support/e2e/hooks";
import type { Reference } from "../support/e2e/objects";
import { JOBS_NAMESPACE } from "../support/e2e/operator";
import { OwnController, withoutDeployedControllers } from "../support/e2e/own-controller";
import { condition, mirror, readTap, ready, tap, untap } from "../support/e2e/taps";
import { PingStream, ping, repliesFrom, requestsTo } from "../support/e2e/traffic";
import { long, slow } from "../support/slow";

const NAME = "e2e-jobs";
const PATIENCE = { seconds: 90, pauseMilliseconds: 100 };
const HOURS_MS = 3_600_000;
const mirrored = mirror(NAME, { vxlan: { remoteIP } });

type Job = Reference & { metadata: { uid: string } };
interface Plan {
  spec: { nodeUID: string; hash: string };
  status?: { observedHash?: string };
}
type ProgrammerPod = Reference & { spec: { nodeName?: string }; status?: { phase?: string } };

describe("resident programmers", function () {
  this.timeout(240_000);

  slow(
    "are renewed when they are old, each once and one node after the other if the budget says so, and no copy is missing",
    () =>
      withoutDeployedControllers(stage(), async () => {
        const { objects, web } = stage();
        const first = await OwnController.start(stage());
        try {
          await tap(objects, mirrored);
        } finally {
          await first.stop();
        }
        const uids = async (): Promise<string[]> => (await jobs()).map(({ metadata }) => metadata.uid);
        const before = await uids();
        assert.equal(before.length, 2);
        // What runs is tapped; the kubelets say a moment later that it runs.
        await eventually("both programmers are Running", async () => (await running()) === 2, PATIENCE);
        // They are renewed after 8 to 11 hours: this controller comes that much later, and takes those that it starts for as old.
        const later: Clock = { ...systemClock, now: () => systemClock.now() + 12 * HOURS_MS };
        const copies = await copiesDuring(async () => {
          const second = await OwnController.start(stage(), { clock: later, environment: { jobsInFlight: 1 } });
          let fewest = Infinity;
          const look = async (): Promise<number> => {
            const now = await running();
            assert.ok(now <= 2, "never two on a node");
            fewest = Math.min(fewest, now);
            return now;
          };
          try {
            await eventually(
              "both programmers are renewed",
              async () => {
                const now = await uids();
                const isRunning = (await look()) === 2;
                return isRunning && now.length === 2 && now.every((uid) => !before.includes(uid));
              },
              PATIENCE,
            );
            const renewed = await uids();
            for (let looks = 0; looks < 30; looks++) {
              await look();
              await sleep(100);
            }
            assert.deepEqual(await uids(), renewed, "not again");
          } finally {
            await second.stop();
          }
          assert.ok(fewest >= 1, "a budget of one takes one node at a time");
        });
        assertGapless(copies);
        assert.equal(new Set((await programmers("Running")).map(({ spec }) => spec.nodeName)).size, web.length);
      }),
  );

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

  slow(
    "are not waited for on a node whose kubelet is gone, which is named; when it is back, the node is programmed",
    async () => {
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
    },
  );

  it("are replaced when their node is deleted and made again under its name, and no copy is missing", async () => {
    const { cluster, objects, web } = stage();
    const { node } = web[0];
    const uidOf = async (): Promise<string | undefined> =>
      (await objects.read<Job>({ apiVersion: "v1", kind: "Node", metadata: { name: node } }))?.metadata.uid;
    await tap(objects, mirrored);
    const old = await uidOf();
    const planOf = async (): Promise<Plan | undefined> => {
      const reference = { apiVersion: "ovs-traffic-control.dev/v1alpha1", kind: "NodeTrafficPlan" };
      return objects.read<Plan>({ ...reference, metadata: { name: node } });
    };
    const copies = await copiesDuring(async () => {
      await objects.delete({ apiVersion: "v1", kind: "Node", metadata: { name: node } });
      await eventually("the plan of the node is gone", async () => (await planOf()) === undefined, PATIENCE);
      // The kubelet finds itself again in the Node that the next `up` makes.
      await up({ name: cluster.name, nodes: cluster.nodes.length, report: () => undefined });
      await eventually(
        "the new node's plan is confirmed",
        async () => {
          const plan = await planOf();
          assert.deepEqual([plan?.spec.nodeUID, plan?.status?.observedHash], [await uidOf(), plan?.spec.hash]);
          return true;
        },
        PATIENCE,
      );
      assert.notEqual(await uidOf(), old);
      await ready(objects, NAME);
    });
    assertGapless(copies);
  });
});

long("oneShot mode", function () {
  this.timeout(300_000);

  before("ends the resident programmers, whose taps stay", async () => {
    await tap(stage().objects, mirrored);
    assertGapless(
      await copiesDuring(async () => {
        await deploy(stage().cluster, { values: { "programmer.mode": "oneShot" } });
        await eventually("no Job is left", async () => (await jobs()).length === 0, PATIENCE);
      }),
    );
    await stage().reset();
  });
  after(() => deploy(stage().cluster, { values: { "programmer.mode": "resident" } }));

  it("applies each plan by a Job without a token that ends, says so, follows changes, and leaves nothing behind", async () => {
    const { objects, client, web } = stage();
    const before = await stage().bridges();
    const { status } = await tap(objects, mirrored);
    assert.match(status?.conditions?.[0]?.message ?? "", /as of each node's last run\.$/);
    await copied(5, 5);
    await tap(objects, mirror(NAME, { vxlan: { remoteIP, vni: 1 } }, { direction: "Ingress" }));
    await copied(5, 0);
    await stage().startPod({ name: "web-late", node: web[0].node, labels: { app: "web" } });
    await eventually(
      "the new Pod is counted",
      async () => (await ready(objects, NAME)).status?.selectedPods === 3,
      PATIENCE,
    );
    await eventually("no programmer stays", async () => (await programmers("Running")).length === 0, PATIENCE);
    const pods = await objects.list<{ spec: { volumes?: { name: string; projected?: object }[] } }>(
      "v1",
      "Pod",
      JOBS_NAMESPACE,
    );
    for (const { spec } of pods) assert.ok(!spec.volumes?.some(({ projected }) => projected), "no token is mounted");
    await stage().reset();
    assert.deepEqual(await stage().bridgeDifferences(before), []);
    const packets = await stage().collect(() => ping(client, web[0].address, 5));
    assert.deepEqual(packets, []);
    await eventually("neither plan nor Job nor file stays", () => nothingLeft(), PATIENCE);
  });

  it("says why a node could not be programmed, tries again, and is done when it can", async () => {
    const { cluster, objects, web } = stage();
    const onNode = async (script: string): Promise<void> => {
      const { exitCode, stderr } = await cluster.exec(web[0].node, "sh", ["-ec", script]);
      assert.equal(exitCode, 0, stderr);
    };
    const appliedTo = { podSelector: { matchLabels: { "e2e-one": "yes" } } };
    await stage().startPod({ name: "one", node: web[0].node, labels: { "e2e-one": "yes" } });
    await objects.apply(mirror(NAME, { device: { name: "e2e-one0" } }, { appliedTo }));
    await eventually(
      "the missing device is named",
      async () => {
        const found = condition(await readTap(objects, NAME), CONDITIONS.ready);
        return found?.status === "False" && found.message.includes("e2e-one0");
      },
      PATIENCE,
    );
    await onNode("ip link add e2e-one0 type veth peer name e2e-one1; ip link set e2e-one0 up");
    try {
      await eventually(`${NAME} is Ready`, () => ready(objects, NAME), PATIENCE);
      await untap(objects, NAME);
    } finally {
      await onNode("ip link del e2e-one0");
    }
  });

  /** Of five echo requests to a Pod, and of their answers. */
  async function copied(requests: number, answers: number): Promise<void> {
    const { client, web } = stage();
    const packets = await stage().collect(() => ping(client, web[0].address, 5));
    const { address } = web[0];
    assert.deepEqual([requestsTo(packets, address).length, repliesFrom(packets, address).length], [requests, answers]);
  }
});

function jobs(): Promise<Job[]> {
  return stage().objects.list<Job>("batch/v1", "Job", JOBS_NAMESPACE);
}

async function programmers(phase: string): Promise<ProgrammerPod[]> {
  const pods = await stage().objects.list<ProgrammerPod>("v1", "Pod", JOBS_NAMESPACE);
  return pods.filter(({ status }) => status?.phase === phase);
}

async function running(): Promise<number> {
  return (await programmers("Running")).length;
}

async function nothingLeft(): Promise<boolean> {
  const { objects } = stage();
  const plans = await objects.list<Reference>("ovs-traffic-control.dev/v1alpha1", "NodeTrafficPlan");
  const files = await objects.list<Reference>("v1", "ConfigMap", JOBS_NAMESPACE);
  const names = [...plans, ...(await jobs()), ...files].map(({ metadata }) => metadata.name);
  assert.deepEqual(
    names.filter((name) => name !== "kube-root-ca.crt"),
    [],
  );
  return true;
}

async function isNotReady(name: string): Promise<boolean> {
  interface Node {
    status?: { conditions?: { type: string; status: string }[] };
  }
  const node = await stage().objects.read<Node>({ apiVersion: "v1", kind: "Node", metadata: { name } });
  return node?.status?.conditions?.some(({ type, status }) => type === "Ready" && status !== "True") === true;
}

function assertGapless(copies: number[]): void {
  assert.ok(copies.length > 0);
  assert.deepEqual(
    copies,
    copies.map((_, index) => copies[0]! + index),
  );
}

/** Sequence numbers of the requests of a stream to a mirrored Pod that were copied while something was done; none was lost. */
async function copiesDuring(action: () => Promise<unknown>): Promise<number[]> {
  const { client, web } = stage();
  const capture = await stage().collector.capture();
  const stream = await PingStream.start(client, web[0].address);
  try {
    await action();
    const { lost, duplicates } = await stream.stop();
    assert.deepEqual({ lost, duplicates }, { lost: 0, duplicates: 0 }, "the Pod's own packets");
    return requestsTo(await capture.stop(), web[0].address).map(({ inner }) => inner.sequence!);
  } finally {
    await stream.stop().catch(() => undefined);
    await capture.discard();
  }
}
