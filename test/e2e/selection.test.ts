/** Pods that come, go and change their labels, and Namespaces that change theirs: copies begin and end with them. */
import assert from "node:assert/strict";
import { ANNOTATIONS, CONDITIONS, REASONS, type LabelSelector } from "@ovs-traffic-control/api";
import { COLLECTOR_ADDRESS as remoteIP } from "../support/e2e/collector";
import { eventually } from "../support/e2e/eventually";
import { stage } from "../support/e2e/hooks";
import type { Reference } from "../support/e2e/objects";
import type { Pod } from "../support/e2e/pods";
import { TEST_LABEL, condition, mirror, readTap, ready, tap } from "../support/e2e/taps";
import { PingStream, requestsTo } from "../support/e2e/traffic";

const target = { vxlan: { remoteIP } };
const late = { podSelector: { matchLabels: { app: "late" } } };

describe("a Pod that appears", () => {
  it("is tapped from its first packet, if the node has a programmer", async () => {
    const { web, client, objects } = stage();
    const appliedTo = {
      podSelector: { matchExpressions: [{ key: "app", operator: "In" as const, values: ["web", "late"] }] },
    };
    await tap(objects, mirror("e2e-appear", target, { appliedTo }));
    const script = `busybox ping -c 20 -i 0.05 ${client.address} && exec sleep 1000000`;
    let pod: Pod | undefined;
    const copies = await stage().collect(async () => {
      pod = await stage().startPod({ name: "late", node: web[0].node, labels: { app: "late" }, script });
      await new Promise((resolve) => setTimeout(resolve, 1500));
    });
    const sequences = requestsTo(copies, client.address)
      .filter(({ inner }) => inner.source === pod?.address)
      .map(({ inner }) => inner.sequence);
    assert.deepEqual(
      sequences,
      Array.from({ length: 20 }, (_, index) => index),
    );
  });

  it("is counted in the status, and no longer once it is gone", async () => {
    const { web, objects } = stage();
    const { status } = await tap(objects, mirror("e2e-appear", target, { appliedTo: late }));
    assert.equal(condition({ ...mirror("", target), status }, CONDITIONS.ready)?.reason, REASONS.noPodsSelected);
    assert.deepEqual([status?.selectedPods, status?.nodes], [0, "0/0"]);

    await stage().startPod({ name: "late", node: web[0].node, labels: { app: "late" } });
    await statusShows("e2e-appear", 1, "1/1");
    await objects.delete(
      { apiVersion: "v1", kind: "Pod", metadata: { name: "late", namespace: stage().namespace } },
      0,
    );
    await statusShows("e2e-appear", 0, "0/0");
  });
});

describe("a selection that is applied by the server", () => {
  it("is taken as a whole: an empty selector replaces another one", async () => {
    const { objects } = stage();
    const selections = [
      { podSelector: { matchExpressions: [{ key: "nobody", operator: "Exists" as const }] } },
      { podSelector: {}, namespaceSelector: { matchLabels: { nobody: "x" } } },
      {},
      late,
    ];
    for (const appliedTo of selections) {
      const { spec } = await objects.apply(mirror("e2e-whole", target, { appliedTo }));
      assert.deepEqual(spec.appliedTo, appliedTo);
    }
  });
});

describe("labels of a Pod", () => {
  it("begin and end the copies, and the Pod loses no packet", async () => {
    const { web, client, objects, namespace } = stage();
    const pod = await stage().startPod({ name: "late", node: web[0].node });
    await tap(objects, mirror("e2e-labels", target, { appliedTo: late }));
    const label = (app: string | null): Promise<unknown> =>
      objects.patch({ apiVersion: "v1", kind: "Pod", metadata: { name: "late", namespace, labels: { app } } });
    await beginsAndEnds(
      pod,
      client,
      () => label("late"),
      () => label(null),
    );
  });
});

describe("labels of a Namespace", () => {
  const reference = (name: string): Reference => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
  let name = "";

  beforeEach(async () => {
    name = `${stage().namespace}-labels-${Date.now().toString(36)}`;
    await stage().objects.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels: TEST_LABEL } });
  });
  afterEach(() => stage().objects.delete(reference(name)));

  it("begin and end the copies of its Pods", async () => {
    const { web, client, objects } = stage();
    const pod = await stage().startPod({ namespace: name, name: "inside", node: web[1].node });
    const appliedTo = { namespaceSelector: { matchLabels: { team: name } } };
    await tap(objects, mirror("e2e-namespace", target, { appliedTo }));
    const label = (team: string | null): Promise<unknown> =>
      objects.patch({ ...reference(name), metadata: { name, labels: { team } } });
    await beginsAndEnds(
      pod,
      client,
      () => label(name),
      () => label(null),
    );
  });
});

describe("a Namespace that opts out", () => {
  it("ends the copies of its Pods and says so in the status; they begin again when it changes its mind", async () => {
    const { web, client, objects } = stage();
    const name = `${stage().namespace}-opt-out`;
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name, labels: TEST_LABEL } };
    const optOut = (value: string | null): Promise<unknown> =>
      objects.patch({ ...namespace, metadata: { name, annotations: { [ANNOTATIONS.optOut]: value } } });
    await objects.apply(namespace);
    try {
      await optOut("true");
      const pod = await stage().startPod({ namespace: name, name: "inside", node: web[1].node });
      await tap(objects, mirror("e2e-opt-out", target, { appliedTo: { namespaceSelector: byName(name) } }));
      const ready = condition(await readTap(objects, "e2e-opt-out"), CONDITIONS.ready);
      assert.match(ready?.message ?? "", /Every Pod that matches appliedTo \(1\) is in a Namespace that has opted out/);
      await beginsAndEnds(
        pod,
        client,
        () => optOut(null),
        () => optOut("true"),
      );
    } finally {
      await objects.delete(namespace);
    }
  });
});

function byName(...values: string[]): LabelSelector {
  return { matchExpressions: [{ key: "kubernetes.io/metadata.name", operator: "In", values }] };
}

describe("never selected", () => {
  it("are the operator's own Pods and Pods on the host's network", async () => {
    const { objects } = stage();
    const appliedTo = { namespaceSelector: byName("ovs-traffic-control", "ovs-traffic-control-nodes") };
    const { status } = await tap(objects, mirror("e2e-operator", target, { appliedTo }));
    assert.equal(status?.selectedPods, 0);
  });
});

/** A stream runs from the Pod; copies begin after `begin` and end after `end`, and no request of the stream is lost. */
async function beginsAndEnds(
  pod: Pod,
  to: Pod,
  begin: () => Promise<unknown>,
  end: () => Promise<unknown>,
): Promise<void> {
  const capture = await stage().collector.capture({ filter: "udp port 4789" });
  const stream = await PingStream.start(pod, to.address);
  try {
    assert.equal(capture.count, 0, "nothing is copied before");
    await begin();
    await eventually("copies arrive", () => capture.count > 20);
    await end();
    await eventually("no copies arrive any more", async () => {
      const seen = capture.count;
      await new Promise((resolve) => setTimeout(resolve, 500));
      return capture.count === seen;
    });
    const { lost, duplicates } = await stream.stop();
    assert.deepEqual({ lost, duplicates }, { lost: 0, duplicates: 0 });
    const sequences = requestsTo(await capture.stop(), to.address).map(({ inner }) => inner.sequence!);
    const first = sequences[0] ?? 0;
    assert.deepEqual(
      sequences,
      sequences.map((_, index) => first + index),
      "between the first copy and the last, each packet is copied once",
    );
  } finally {
    await stream.stop().catch(() => undefined);
    await capture.discard();
  }
}

async function statusShows(name: string, selectedPods: number, nodes: string): Promise<void> {
  await eventually(`TrafficControl ${name} shows ${selectedPods} Pods`, async () => {
    const status = (await readTap(stage().objects, name))?.status;
    assert.deepEqual([status?.selectedPods, status?.nodes], [selectedPods, nodes], JSON.stringify(status));
    return true;
  });
  await ready(stage().objects, name);
}
