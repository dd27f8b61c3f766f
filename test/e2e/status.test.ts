/** What a user is told: columns, conditions, kubectl wait and explain, Events, failures that heal. */
import assert from "node:assert/strict";
import { ANNOTATIONS, CONDITIONS, FINALIZER, REASONS } from "@ovs-traffic-control/api";
import type { TrafficControl } from "@ovs-traffic-control/api";
import { COLLECTOR_ADDRESS as remoteIP } from "../support/e2e/collector";
import { eventually } from "../support/e2e/eventually";
import { stage } from "../support/e2e/hooks";
import { condition, mirror, readTap, ready, tap, untap } from "../support/e2e/taps";

const NAME = "e2e-status";
const target = { vxlan: { remoteIP } };

describe("kubectl", () => {
  it("get shows direction, action, target, readiness, nodes and Pods; -o wide adds reason and message", async () => {
    await tap(stage().objects, mirror(NAME, target));
    const table = (await stage().cluster.kubectl(["get", "tc", NAME])).trim().split("\n");
    assert.match(table[0]!, /^NAME +DIRECTION +ACTION +TARGET +READY +NODES +PODS +AGE *$/);
    assert.match(table[1]!, /^e2e-status +Both +Mirror +vxlan:10\.0\.10\.2 +True +2\/2 +2 +\d+s *$/);
    const wide = (await stage().cluster.kubectl(["get", "tc", NAME, "-o", "wide"])).trim().split("\n");
    assert.match(wide[0]!, /AGE +REASON +MESSAGE *$/);
    assert.match(wide[1]!, new RegExp(` ${REASONS.realized} +\\S.*$`));
  });

  it("wait returns once every selected Pod is programmed", async () => {
    await stage().objects.apply(mirror(NAME, target));
    await stage().cluster.kubectl(["wait", `tc/${NAME}`, "--for=condition=Ready", "--timeout=20s"]);
    const status = (await readTap(stage().objects, NAME))?.status;
    assert.deepEqual([status?.nodes, status?.selectedPods, status?.observedGeneration], ["2/2", 2, 1]);
  });

  it("explain says something useful about a deep field", async () => {
    const text = await stage().cluster.kubectl(["explain", "tc.spec.targetPort.erspan.hardwareID"]);
    assert.match(text, /ERSPAN engine/);
    assert.match(text, /version 2 only/);
  });
});

describe("conditions", () => {
  it("of a healthy TrafficControl are Ready alone, for its generation", async () => {
    const { status, metadata } = await tap(stage().objects, mirror(NAME, target));
    assert.deepEqual(
      status?.conditions?.map(({ type, status: value, observedGeneration }) => [type, value, observedGeneration]),
      [[CONDITIONS.ready, "True", metadata.generation]],
    );
    assert.equal(status.failures, undefined);
  });

  it("follow a missing device: Ready=False names the nodes, and it heals by itself when the device appears", async () => {
    const { objects, cluster, web } = stage();
    await objects.apply(mirror(NAME, { device: { name: "e2e-late0" } }));
    const failed = await eventually("Ready is False because of the device", async () => {
      const found = await readTap(objects, NAME);
      assert.equal(found?.status?.failures?.length, 2, JSON.stringify(found?.status));
      return found;
    });
    assert.equal(condition(failed, CONDITIONS.ready)?.status, "False");
    assert.deepEqual(
      failed.status?.failures?.map(({ node, reason }) => [node, reason]).toSorted(),
      web.map(({ node }) => [node, REASONS.targetPortMissing]).toSorted(),
    );
    assert.match(failed.status.failures[0]?.message ?? "", /e2e-late0/);
    const onEach = (args: string[]): Promise<unknown> =>
      Promise.all(web.map(({ node }) => cluster.exec(node, "ip", ["link", ...args])));
    await onEach(["add", "e2e-late0", "type", "veth", "peer", "name", "e2e-late0-far"]);
    try {
      await ready(objects, NAME, 1);
      await untap(objects, NAME);
    } finally {
      await onEach(["del", "e2e-late0"]);
    }
  });
});

describe("metadata", () => {
  it("has the finalizer from the first moment, and names who changed the spec last", async () => {
    const { metadata } = await stage().objects.apply(mirror(NAME, target));
    assert.ok(metadata.finalizers?.includes(FINALIZER));
    assert.equal(metadata.annotations?.[ANNOTATIONS.lastChangedBy], "admin");
  });
});

describe("Events", () => {
  it("tell the story of a TrafficControl: in force, and cleaned up", async () => {
    await tap(stage().objects, mirror(NAME, target));
    await eventually(`an Event ${REASONS.realized}`, async () => (await reasons()).includes(REASONS.realized));
    await untap(stage().objects, NAME);
    for (const reason of [REASONS.cleanupStarted, REASONS.cleanupCompleted]) {
      await eventually(`an Event ${reason}`, async () => (await reasons()).includes(reason));
    }
  });
});

describe("a collector inside the cluster", () => {
  it("is not tapped by the TrafficControl that sends to it", async () => {
    const { objects, web } = stage();
    const { status } = await tap(objects, mirror(NAME, { vxlan: { remoteIP: web[0].address } }));
    assert.equal(status?.selectedPods, 1);
    await eventually(`an Event ${REASONS.collectorSelected}`, async () =>
      (await reasons()).includes(REASONS.collectorSelected),
    );
  });
});

/** Reasons of the Events about this test's TrafficControl. */
async function reasons(): Promise<string[]> {
  interface Event {
    reason?: string;
    regarding?: TrafficControl["metadata"];
  }
  const events = await stage().objects.list<Event>("events.k8s.io/v1", "Event");
  return events.filter(({ regarding }) => regarding?.name === NAME).map(({ reason }) => reason ?? "");
}
