/** Changes of a live TrafficControl, its deletion, and an upgrade of the release, while traffic flows. */
import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseDocument, type Document, type YAMLMap, type YAMLSeq } from "yaml";
import type { TrafficControl } from "@ovs-traffic-control/api";
import { helm } from "../../hack/deploy/helm";
import type { Packet } from "../support/decode";
import { wallClock } from "../support/e2e/clock";
import { COLLECTOR_ADDRESS as remoteIP } from "../support/e2e/collector";
import { eventually } from "../support/e2e/eventually";
import { stage } from "../support/e2e/hooks";
import { mirror, ready, tap, tapReference, untap } from "../support/e2e/taps";
import { PingStream, repliesFrom, requestsTo } from "../support/e2e/traffic";

const NAME = "e2e-update";
const RELEASE = "ovs-traffic-control";
const CHART = path.join(import.meta.dirname, "../../charts/ovs-traffic-control");
const INTERVAL = 0.005;
/** A packet that Open vSwitch had before the flows changed may still be between two processes. */
const IN_FLIGHT_SECONDS = 0.02;

describe("an update", () => {
  it("of the target moves the copies over: none of the Pod's packets is lost, none is copied twice", async () => {
    const packets = await streamedWhile(vxlan(1), () => tap(stage().objects, vxlan(2)));
    const copies = requestsTo(packets, stage().web[0].address);
    assertGapless(copies);
    const vnis = copies.map(({ tunnel }) => tunnel?.vni);
    assert.deepEqual(new Set(vnis), new Set([1, 2]));
    assert.deepEqual(vnis, vnis.toSorted(), "after the first copy to the new target there is none to the old one");
  });

  it("of the kind of target does the same", async () => {
    const packets = await streamedWhile(vxlan(1), () =>
      tap(stage().objects, mirror(NAME, { gre: { remoteIP, key: 7 } })),
    );
    const copies = requestsTo(packets, stage().web[0].address);
    assertGapless(copies);
    assert.deepEqual([...new Set(copies.map(({ tunnel }) => tunnel?.kind))], ["vxlan", "gre"]);
  });

  it("of the direction ends the copies of the other direction only", async () => {
    const packets = await streamedWhile(vxlan(1), () =>
      tap(stage().objects, mirror(NAME, vxlan(1).spec.targetPort, { direction: "Ingress" })),
    );
    const { address } = stage().web[0];
    assertGapless(requestsTo(packets, address));
    assertGapless(repliesFrom(packets, address));
    const last = (copies: Packet[]): number => copies.at(-1)?.inner.sequence ?? -1;
    assert.ok(last(repliesFrom(packets, address)) + 20 < last(requestsTo(packets, address)));
  });

  it("of the selection to nothing ends the copies, and back begins them", async () => {
    // A merge patch: server-side apply of an empty appliedTo would remove the field, which is mandatory.
    const nobody = { ...tapReference(NAME), spec: { appliedTo: { podSelector: null } } };
    await tap(stage().objects, vxlan(1));
    const stream = await PingStream.start(stage().client, stage().web[0].address, INTERVAL);
    const capture = await stage().collector.capture();
    try {
      await eventually("copies arrive", () => capture.count > 0);
      await stage().objects.patch(nobody);
      await eventually("the copies end", async () => {
        const seen = capture.count;
        await new Promise((resolve) => setTimeout(resolve, 300));
        return capture.count === seen;
      });
      const { status } = await ready(stage().objects, NAME, 2);
      assert.deepEqual([status?.selectedPods, status?.nodes], [0, "0/0"]);
      const copied = capture.count;
      await tap(stage().objects, vxlan(1));
      await eventually("copies arrive again", () => capture.count > copied + 20);
    } finally {
      await stream.stop();
      await capture.discard();
    }
  });
});

describe("an upgrade of the release", () => {
  it("from a chart with an older CRD replaces CRD and Pods, and not one copy is missing", async function () {
    this.timeout(240_000);
    const { cluster } = stage();
    const upgrade = (chart: string, ...values: string[]): Promise<string> =>
      helm(cluster, ["upgrade", RELEASE, chart, "--namespace", RELEASE, "--reset-then-reuse-values", ...values]);
    const older = await olderChart();
    try {
      await upgrade(older.chart);
      assert.deepEqual(await columns(), ["Direction", "Age"], "the older CRD is there");
      const packets = await streamedWhile(vxlan(1), async () => {
        await upgrade(CHART, "--set-string", `podAnnotations.upgraded=${Date.now()}`);
        for (const part of ["admission", "controller"]) {
          const rollout = ["rollout", "status", "--namespace", RELEASE, `deployment/ovs-traffic-control-${part}`];
          await cluster.kubectl([...rollout, "--timeout=120s"]);
        }
      });
      assertGapless(requestsTo(packets, stage().web[0].address));
      assert.ok((await columns()).length > 5, "the CRD is the new one");
      assert.equal((await ready(stage().objects, NAME)).status?.nodes, "2/2");
    } finally {
      await rm(older.directory, { recursive: true });
    }
  });

  async function columns(): Promise<string[]> {
    const names = "jsonpath={.spec.versions[0].additionalPrinterColumns[*].name}";
    return (await stage().cluster.kubectl(["get", "crd", "trafficcontrols.crd.antrea.io", "-o", names])).split(" ");
  }
});

/** A copy of the chart as an earlier version could have been: its CRD shows two columns. */
async function olderChart(): Promise<{ directory: string; chart: string }> {
  const directory = await mkdtemp(path.join(tmpdir(), "older-chart-"));
  await cp(CHART, path.join(directory, "chart"), { recursive: true, dereference: true });
  const change = async (name: string, edit: (content: Document) => void): Promise<void> => {
    const file = path.join(directory, "chart", name);
    const content = parseDocument(await readFile(file, "utf8"));
    edit(content);
    await writeFile(file, content.toString());
  };
  await change("Chart.yaml", (content) => content.set("version", "0.0.9"));
  await change("files/crds/trafficcontrols.yaml", (content) => {
    const columns = content.getIn(["spec", "versions", 0, "additionalPrinterColumns"]) as YAMLSeq<YAMLMap>;
    columns.items = columns.items.filter((column) => ["Direction", "Age"].includes(String(column.get("name"))));
  });
  return { directory, chart: path.join(directory, "chart") };
}

describe("a deletion", () => {
  it("returns when the last copy has been made", async () => {
    const { cluster, client, web, objects } = stage();
    await tap(objects, vxlan(1));
    const capture = await stage().collector.capture();
    const stream = await PingStream.start(client, web[0].address, INTERVAL);
    try {
      await eventually("copies arrive", () => capture.count > 50);
      await cluster.kubectl(["delete", "tc", NAME]);
      const returned = wallClock();
      await new Promise((resolve) => setTimeout(resolve, 500));
      const { lost } = await stream.stop();
      assert.equal(lost, 0);
      const late = (await capture.stop()).filter(({ time }) => time > returned + IN_FLIGHT_SECONDS);
      assert.deepEqual(late, []);
    } finally {
      await stream.stop().catch(() => undefined);
      await capture.discard();
    }
  });

  it("right after the creation waits for what the nodes have begun meanwhile", async () => {
    const { objects, client, web } = stage();
    await tap(objects, vxlan(1)); // Programmers are there.
    await untap(objects, NAME);
    const capture = await stage().collector.capture();
    const stream = await PingStream.start(client, web[0].address, INTERVAL);
    try {
      for (const milliseconds of [20, 60, 120, 250]) {
        await objects.create(vxlan(1));
        await new Promise((resolve) => setTimeout(resolve, milliseconds));
        await untap(objects, NAME);
        const gone = wallClock();
        await new Promise((resolve) => setTimeout(resolve, 1000));
        const late = capture.records().filter(({ time }) => time > gone + IN_FLIGHT_SECONDS);
        assert.equal(late.length, 0, `copies after the deletion of one that was ${milliseconds} ms old`);
      }
    } finally {
      await stream.stop();
      await capture.discard();
    }
  });

  it("of one of two leaves the other one's copies alone", async () => {
    const { objects, web } = stage();
    await tap(objects, mirror("e2e-other", { vxlan: { remoteIP, vni: 2 } }));
    const packets = await streamedWhile(vxlan(1), () => untap(objects, NAME));
    const copies = requestsTo(packets, web[0].address);
    assertGapless(copies.filter(({ tunnel }) => tunnel?.vni === 2));
    assert.ok(copies.some(({ tunnel }) => tunnel?.vni === 1));
    assert.equal(copies.at(-1)?.tunnel?.vni, 2);
  });
});

function vxlan(vni: number): TrafficControl {
  return mirror(NAME, { vxlan: { remoteIP, vni } });
}

/** What the collector gets of a stream of echo requests while a TrafficControl is changed. */
async function streamedWhile(first: TrafficControl, change: () => Promise<unknown>): Promise<Packet[]> {
  await tap(stage().objects, first);
  const capture = await stage().collector.capture();
  try {
    const stream = await PingStream.start(stage().client, stage().web[0].address, INTERVAL);
    try {
      await eventually("copies arrive", () => capture.count > 50);
      await change();
      await new Promise((resolve) => setTimeout(resolve, 500));
    } finally {
      const { lost, duplicates } = await stream.stop();
      assert.deepEqual({ lost, duplicates }, { lost: 0, duplicates: 0 }, "the Pod's own packets");
    }
    return await capture.stop();
  } finally {
    await capture.discard();
  }
}

function assertGapless(copies: Packet[]): void {
  const sequences = copies.map(({ inner }) => inner.sequence!);
  assert.ok(sequences.length > 0, "there are copies");
  assert.deepEqual(
    sequences,
    sequences.map((_, index) => sequences[0]! + index),
  );
}
