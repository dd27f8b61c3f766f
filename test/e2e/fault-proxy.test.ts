/**
 * The controller against the real API server, with a proxy between that breaks connections, refuses, is late and swallows answers, in
 * an order that the printed seed repeats (SEED=…). The end is always the one of an undisturbed run, and then nothing is written.
 */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { NODE_TRAFFIC_PLAN, type NodeTrafficPlan, type TrafficControl } from "@ovs-traffic-control/api";
import { seeded, seedOfRun } from "../support/random";
import { COLLECTOR_ADDRESS } from "../support/e2e/collector";
import { eventually } from "../support/e2e/eventually";
import { FaultProxy, FAULTS } from "../support/e2e/fault-proxy";
import { stage } from "../support/e2e/hooks";
import type { Reference } from "../support/e2e/objects";
import { JOBS_NAMESPACE } from "../support/e2e/operator";
import { OwnController, withoutDeployedControllers } from "../support/e2e/own-controller";
import { mirror, readTap, ready, tapReference, untap } from "../support/e2e/taps";
import { IS_LONG } from "../support/slow";

const RUNS = IS_LONG ? Number(process.env["RUNS"] ?? 20) : 1;
const PATIENCE = { seconds: 90, pauseMilliseconds: 50 };
const QUIET_SECONDS = 2;
const [STAYS, GOES] = ["e2e-stays", "e2e-goes"];
const appliedTo = { podSelector: { matchLabels: { faults: "yes" } } };

describe("the controller behind a proxy that makes faults", function () {
  this.timeout((120 + RUNS * 120) * 1000);

  it("ends as without faults, then writes nothing, and lets everything go", () =>
    withoutDeployedControllers(stage(), async () => {
      const { web } = stage();
      await stage().startPod({ name: "faults-1", node: web[0].node, labels: { faults: "yes" } });
      await stage().startPod({ name: "faults-2", node: web[1].node, labels: { faults: "yes" } });
      const undisturbed = await run(seeded(0));
      const first = seedOfRun();
      const made = new Map<string, number>();
      for (let seed = first; seed < first + RUNS; seed++) {
        const disturbed = await run(seeded(seed), { seed, end: undisturbed.end });
        for (const [fault, times] of disturbed.made) made.set(fault, (made.get(fault) ?? 0) + times);
        const faults = [...disturbed.made.values()].reduce((sum, times) => sum + times, 0);
        console.log(
          `      SEED=${seed}: ${faults} faults, ${disturbed.writes} writes; ${undisturbed.writes} without faults`,
        );
      }
      assert.deepEqual(
        FAULTS.filter((fault) => !made.has(fault)),
        [],
        "each fault was made",
      );
    }));
});

interface Run {
  end: unknown;
  writes: number;
  made: FaultProxy["made"];
}

/**
 * A short life: two taps come, one changes, one goes, a Pod's labels change. Leaves nothing behind. With faults if there is an end to
 * which it shall come nevertheless.
 */
async function run(random: () => number, expected?: { seed: number; end: unknown }): Promise<Run> {
  const isHostile = expected !== undefined;
  const { cluster, objects } = stage();
  const proxy = await FaultProxy.start(cluster.kubeconfig, random);
  proxy.isHostile = isHostile;
  const controller = await OwnController.start(stage(), { server: proxy.url });
  try {
    await objects.apply(mirror(STAYS, { vxlan: { remoteIP: COLLECTOR_ADDRESS, vni: 81 } }, { appliedTo }));
    await objects.apply(mirror(GOES, { ovsInternal: { name: "e2e-goes0" } }, { appliedTo }));
    for (const name of [STAYS, GOES]) await eventually(`${name} is Ready`, () => ready(objects, name), PATIENCE);
    await objects.delete(tapReference(GOES));
    await objects.patch({ ...tapReference(STAYS), spec: { direction: "Egress" } });
    await label("faults-2", "no");
    await eventually(`${GOES} is let go`, async () => (await readTap(objects, GOES)) === undefined, PATIENCE);
    await label("faults-2", "yes");
    await label("faults-1", "no");
    await eventually("the last change is in force", () => isSettled(), PATIENCE);
    // Faults end here: answers that do not come and waits after failures may still take their time.
    proxy.isHostile = false;
    let end: unknown;
    await eventually(
      `all is as without faults, and nobody has anything left to do (SEED=${expected?.seed})`,
      async () => {
        await assertQuiet(proxy);
        end = await endState();
        if (expected !== undefined) assert.deepEqual(end, expected.end);
        return true;
      },
      PATIENCE,
    );
    const writes = proxy.writes.length;
    proxy.isHostile = isHostile;
    await objects.delete(tapReference(STAYS));
    await eventually(`${STAYS} is let go`, async () => (await readTap(objects, STAYS)) === undefined, PATIENCE);
    return { end, writes, made: proxy.made };
  } finally {
    proxy.isHostile = false;
    for (const name of [STAYS, GOES]) await untap(objects, name);
    await label("faults-1", "yes");
    await controller.stop();
    await proxy.stop();
  }
}

async function label(name: string, faults: string): Promise<void> {
  const metadata = { name, namespace: stage().namespace, labels: { faults } };
  await stage().objects.patch({ apiVersion: "v1", kind: "Pod", metadata });
}

/** The one Pod that is left is tapped as it was said last, and everybody says so. */
async function isSettled(): Promise<boolean> {
  const found: unknown[] = [];
  for (const { spec, status } of await plans()) {
    assert.equal(status?.observedHash, spec.hash);
    found.push(...spec.pods.map(({ name }) => [name, spec.rules.map((rule) => [rule.name, rule.direction])]));
  }
  assert.deepEqual(found, [["faults-2", [[STAYS, "Egress"]]]]);
  const tap = await ready(stage().objects, STAYS, 2);
  assert.deepEqual([tap.status?.selectedPods, tap.status?.nodes], [1, "1/1"]);
  return true;
}

/** No write for a while, and none whose answer the controller still waits for. */
async function assertQuiet(proxy: FaultProxy): Promise<void> {
  const before = proxy.writes.length;
  await sleep(QUIET_SECONDS * 1000);
  assert.deepEqual([proxy.writes.slice(before), proxy.unansweredWrites], [[], 0]);
}

function plans(): Promise<NodeTrafficPlan[]> {
  const { group, version, kind } = NODE_TRAFFIC_PLAN;
  return stage().objects.list<NodeTrafficPlan>(`${group}/${version}`, kind);
}

/** Plans, Jobs and the status without what depends on when something was done, and by whom. */
async function endState(): Promise<unknown> {
  const { objects } = stage();
  const timeless = (value: unknown): unknown =>
    JSON.parse(
      JSON.stringify(value, (key, field: unknown) =>
        /^(lastTransitionTime|uid|hash|observedHash|retiring|packets|bytes|ofport)$/.test(key) ? undefined : field,
      ),
    );
  const { metadata, status } = (await readTap(objects, STAYS)) as TrafficControl;
  const jobs = await objects.list<Reference>("batch/v1", "Job", JOBS_NAMESPACE);
  return timeless({
    plans: (await plans()).map((plan) => ({ name: plan.metadata.name, spec: plan.spec, status: plan.status })),
    jobs: jobs.map((job) => job.metadata.name),
    trafficControl: { finalizers: metadata.finalizers, status },
  });
}
