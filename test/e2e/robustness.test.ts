/** Controller, programmer and webhook are killed and come back: taps keep working meanwhile, and the state converges. */
import assert from "node:assert/strict";
import { COLLECTOR_ADDRESS as remoteIP } from "../support/e2e/collector";
import { eventually } from "../support/e2e/eventually";
import { stage } from "../support/e2e/hooks";
import type { Reference } from "../support/e2e/objects";
import { ADMISSION, CONTROLLER, JOBS_NAMESPACE, OPERATOR_NAMESPACE, scale } from "../support/e2e/operator";
import { refusal } from "../support/e2e/refusal";
import { INVALID, manifest, WRONG_TYPES } from "../unit/admission/cases";
import { TEST_LABEL, mirror, readTap, tap, tapReference, untap } from "../support/e2e/taps";
import { PingStream, ping, requestsTo } from "../support/e2e/traffic";

const NAME = "e2e-robust";
const target = { vxlan: { remoteIP, vni: 1 } };
/** Lease of 15 s at most, then the new leader's first round. */
const TAKEOVER = { seconds: 40 };

describe("the controller's leader", () => {
  it("is killed: copies go on without a gap, and another one takes over", async () => {
    const { objects } = stage();
    await tap(objects, mirror(NAME, target));
    const old = await leader();
    const copies = await streamed(async () => {
      await objects.delete(pod(OPERATOR_NAMESPACE, old), 0);
      await eventually("another leader", async () => (await leader()) !== old, TAKEOVER);
      await eventually(
        "a new TrafficControl is realized",
        () => tap(objects, mirror("e2e-after", { vxlan: { remoteIP, vni: 2 } })),
        TAKEOVER,
      );
    });
    assertGapless(copies(1));
    assert.ok(copies(2).length > 0);
  });

  it("is away while labels change and a TrafficControl is deleted: everything follows when it is back", async () => {
    const { objects, web, namespace } = stage();
    await tap(objects, mirror(NAME, target));
    await tap(objects, mirror("e2e-after", { vxlan: { remoteIP, vni: 2 } }));
    await scale(stage().objects, CONTROLLER, 0);
    try {
      await stage().startPod({ name: "late", node: web[0].node, labels: { app: "web" } });
      await objects.delete(tapReference("e2e-after"));
      assert.ok(await readTap(objects, "e2e-after"), "the finalizer holds it while nobody can untap");
      await objects.delete({ apiVersion: "v1", kind: "Pod", metadata: { name: "late", namespace } }, 0);
    } finally {
      await scale(stage().objects, CONTROLLER, 2);
    }
    await eventually("the deleted one is gone", async () => !(await readTap(objects, "e2e-after")), TAKEOVER);
    const packets = await stage().collect(() => ping(stage().client, web[0].address, 20));
    assert.deepEqual(
      requestsTo(packets, web[0].address).map(({ tunnel }) => tunnel?.vni),
      Array(20).fill(1),
    );
  });
});

describe("a node's programmer", () => {
  it("is killed: copies go on without a gap, a new one comes, and it follows changes", async () => {
    const { objects, web } = stage();
    await tap(objects, mirror(NAME, target));
    const old = await programmers(web[0].node);
    assert.equal(old.length, 1);
    const copies = await streamed(async () => {
      await objects.delete(pod(JOBS_NAMESPACE, old[0]!), 0);
      await eventually(
        "another programmer runs",
        async () => {
          const now = await programmers(web[0].node);
          return now.length === 1 && now[0] !== old[0];
        },
        TAKEOVER,
      );
      await tap(objects, mirror("e2e-after", { vxlan: { remoteIP, vni: 2 } }));
    });
    assertGapless(copies(1));
    assert.ok(copies(2).length > 0);
  });
});

describe("the admission webhook", () => {
  it("is away: taps work, labels and deletions pass, a creation is refused, and each mistake by name; back: a creation passes", async () => {
    const { objects, client, web } = stage();
    await tap(objects, mirror(NAME, target));
    await scale(stage().objects, ADMISSION, 0);
    try {
      const packets = await stage().collect(() => ping(client, web[0].address, 20));
      assert.equal(requestsTo(packets, web[0].address).length, 20);
      await objects.patch({
        ...tapReference(NAME),
        metadata: { name: NAME, labels: { ...TEST_LABEL, edited: "yes" } },
      });
      await assert.rejects(objects.apply(mirror("e2e-after", target)), /failed calling webhook/);
      await refusesAllMistakes();
      await untap(objects, NAME);
    } finally {
      await scale(stage().objects, ADMISSION, 2);
    }
    await eventually("a creation passes", () => tap(objects, mirror("e2e-after", target)), TAKEOVER);
  });
});

function pod(namespace: string, name: string): Reference {
  return { apiVersion: "v1", kind: "Pod", metadata: { namespace, name } };
}

async function leader(): Promise<string> {
  const metadata = { namespace: OPERATOR_NAMESPACE, name: CONTROLLER };
  const reference = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata };
  const lease = await stage().objects.read<{ spec: { holderIdentity?: string } }>(reference);
  const holder = lease?.spec.holderIdentity ?? "";
  const pods = await stage().objects.list<Reference>("v1", "Pod", OPERATOR_NAMESPACE);
  const found = pods.find(({ metadata: { name } }) => holder.startsWith(name));
  if (!found) throw new Error(`No Pod holds the Lease: its holder is "${holder}"`);
  return found.metadata.name;
}

/** Of one object, by the CRD alone, which also says what it says otherwise: test/e2e/admission-crd.test.ts. */
async function refusesAllMistakes(): Promise<void> {
  for (const given of [...INVALID, ...WRONG_TYPES]) {
    const said = await refusal(manifest(given, "e2e-after"));
    assert.match(said ?? "it was accepted", /is invalid: /, given.title);
  }
}

/** Names of the running programmer Pods of a node. */
async function programmers(node: string): Promise<string[]> {
  type Found = Reference & { spec: { nodeName?: string }; status?: { phase?: string } };
  const pods = await stage().objects.list<Found>("v1", "Pod", JOBS_NAMESPACE);
  return pods
    .filter(({ spec, status }) => spec.nodeName === node && status?.phase === "Running")
    .map(({ metadata }) => metadata.name);
}

/** Copies of a stream of echo requests, by VNI, that arrive while something is done. */
async function streamed(action: () => Promise<unknown>): Promise<(vni: number) => number[]> {
  const { client, web } = stage();
  const capture = await stage().collector.capture();
  const stream = await PingStream.start(client, web[0].address);
  try {
    await action();
    await new Promise((resolve) => setTimeout(resolve, 300));
    const { lost, duplicates } = await stream.stop();
    assert.deepEqual({ lost, duplicates }, { lost: 0, duplicates: 0 }, "the Pod's own packets");
    const packets = requestsTo(await capture.stop(), web[0].address);
    return (vni) => packets.filter(({ tunnel }) => tunnel?.vni === vni).map(({ inner }) => inner.sequence!);
  } finally {
    await stream.stop().catch(() => undefined);
    await capture.discard();
  }
}

function assertGapless(sequences: number[]): void {
  assert.ok(sequences.length > 0, "there are copies");
  assert.deepEqual(
    sequences,
    sequences.map((_, index) => sequences[0]! + index),
  );
}
