/**
 * kill -9 of everything that can die, one after the other, in an order that the printed seed repeats (SEED=…), while packets
 * flow through an existing Mirror and an existing Redirect. Taps go on without a gap. The exceptions are Open vSwitch's own, on
 * its datapath in userspace and on the node where it happens: with ovs-vswitchd dies the datapath, so nothing is forwarded until
 * it is back, and until the programmer has put its flows back packets pass uncopied and uninspected. While ovsdb-server is
 * away ovs-vswitchd stands still, and what its buffers cannot hold is lost; but nothing passes uncopied or uninspected.
 */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { TrafficControl } from "@ovs-traffic-control/api";
import { up } from "../../hack/cluster";
import { pick, seeded, seedOfRun, shuffled } from "../support/random";
import { wallClock } from "../support/e2e/clock";
import { COLLECTOR_ADDRESS } from "../support/e2e/collector";
import { eventually } from "../support/e2e/eventually";
import { Foreign } from "../support/e2e/fire/foreign";
import { TappedStreams, type NodeInterruption } from "../support/e2e/fire/streams";
import { victims } from "../support/e2e/fire/victims";
import { assertNoWrites } from "../support/e2e/fire/writes";
import { stage } from "../support/e2e/hooks";
import type { Reference } from "../support/e2e/objects";
import type { Pod } from "../support/e2e/pods";
import { mirror, ready, tap, untap } from "../support/e2e/taps";
import { IS_LONG } from "../support/slow";

/** At least; each thing is killed at least once. */
const SECONDS = IS_LONG ? 15 * 60 : 90;
const QUIET_SECONDS = IS_LONG ? 60 : 8;
const RECOVERY = { seconds: 120, pauseMilliseconds: 200 };
const [MIRROR, REDIRECT] = ["e2e-fire-mirror", "e2e-fire-redirect"];
/** Two cables; the far ends, joined by a Linux bridge, are the inspection device. They outlive ovs-vswitchd, as a device does. */
const [IN, OUT] = ["e2e-fin0", "e2e-fout0"];
/** What was inside the node's Open vSwitch when it died. */
const IN_FLIGHT_SECONDS = 0.1;
const OURS = "cookie=0x5443000000000000/0xffff000000000000";

describe(`kill -9 of everything, for ${SECONDS} s`, function () {
  this.timeout((SECONDS + 600) * 1000);

  it("stops no tap and touches nothing of others; then everything is Ready, and nothing is written any more", async () => {
    const seed = seedOfRun();
    console.log(`      SEED=${seed}`);
    const random = seeded(seed);
    const { cluster, objects, web } = stage();
    const foreign = await Foreign.place(cluster, objects);
    let streams: TappedStreams | undefined;
    let device: Pod | undefined;
    try {
      const mirrored = await stage().startPod({ name: "fire-1", node: web[0].node, labels: { fire: "mirror" } });
      const redirected = await stage().startPod({ name: "fire-2", node: web[1].node, labels: { fire: "redirect" } });
      device = redirected;
      const before = await stage().bridges();
      await placeDevice(redirected.node);
      await tap(objects, mirrorOf());
      await tap(objects, redirectOf());
      streams = await TappedStreams.start(stage(), mirrored, redirected, `${IN}-far`);

      const interruptions = await kill(random, foreign, [mirrored.node, redirected.node]);
      await everythingReady();
      const { mirror: copied, redirect: inspected } = await streams.stop(interruptions);
      for (const [what, { sent, interrupted }] of Object.entries({ copied, inspected })) {
        console.log(`      ${what}: ${sent} packets`);
        for (const each of interrupted)
          console.log(
            `        ${each.what}: ${each.seconds.toFixed(2)} s, ${each.unanswered} not forwarded, ${each.unseen} not ${what}`,
          );
      }
      assert.deepEqual({ copied: copied.problems, inspected: inspected.problems }, { copied: [], inspected: [] });
      assert.deepEqual(await foreign.touched(), []);
      await assertNoWrites(objects, QUIET_SECONDS);

      await tap(objects, mirror("e2e-fire-after", { vxlan: { remoteIP: COLLECTOR_ADDRESS, vni: 72 } }));
      for (const name of ["e2e-fire-after", MIRROR, REDIRECT]) await untap(objects, name);
      await removeDevice(redirected.node);
      const differences = await stage().bridgeDifferences(before);
      assert.deepEqual(
        differences.filter((line) => !isOfRestart(line)),
        [],
      );
    } finally {
      await streams?.discard();
      for (const name of [MIRROR, REDIRECT]) await untap(objects, name);
      if (device) await removeDevice(device.node);
      await foreign.remove();
    }
  });
});

const appliedTo = (fire: string): TrafficControl["spec"]["appliedTo"] => ({ podSelector: { matchLabels: { fire } } });
const mirrorOf = (): TrafficControl =>
  mirror(MIRROR, { vxlan: { remoteIP: COLLECTOR_ADDRESS, vni: 71 } }, { appliedTo: appliedTo("mirror") });
const redirectOf = (): TrafficControl =>
  mirror(
    REDIRECT,
    { device: { name: IN } },
    { appliedTo: appliedTo("redirect"), action: "Redirect", returnPort: { device: { name: OUT } } },
  );

/** Kills until the time is over and everything has been killed once. Returns when Open vSwitch was away, and where. */
async function kill(random: () => number, foreign: Foreign, tapped: string[]): Promise<NodeInterruption[]> {
  const { cluster, objects } = stage();
  const interruptions: NodeInterruption[] = [];
  const end = Date.now() + SECONDS * 1000;
  for (let round = 1; Date.now() < end || round === 1; round++) {
    const choice = { anyOf: cluster.nodes, tapped, pick: (from: string[]) => pick(random, from) };
    for (const victim of shuffled(random, victims(cluster, objects, choice))) {
      const { name: what, node, takesAlong } = victim;
      const flows = node === undefined ? 0 : await flowsOf(node);
      const pid = await eventually(`${what} runs`, () => victim.pid(), RECOVERY);
      const from = wallClock();
      process.kill(pid, "SIGKILL");
      await up({ name: cluster.name, nodes: cluster.nodes.length, report: () => undefined });
      if (node !== undefined && takesAlong !== undefined) {
        await eventually(`${what} has our flows`, async () => (await flowsOf(node)) >= flows, RECOVERY);
        const mayPassUnseen = takesAlong === "forwarding and taps";
        interruptions.push({ what, node, from: from - IN_FLIGHT_SECONDS, to: wallClock(), mayPassUnseen });
        if (mayPassUnseen) await foreign.addFlows(node);
      }
      console.log(`      ${what}: process ${pid}, mended after ${(wallClock() - from).toFixed(1)} s`);
      if (round > 1 && Date.now() > end) break;
      await sleep(random() * 3_000);
    }
  }
  return interruptions;
}

/** The nodes, the operator's Pods, a programmer for each tapped node, and both TrafficControls in force. */
async function everythingReady(): Promise<void> {
  const { objects, cluster } = stage();
  interface Node extends Reference {
    status?: { conditions?: { type: string; status: string }[] };
  }
  interface Deployment extends Reference {
    status?: { readyReplicas?: number; replicas?: number; unavailableReplicas?: number };
  }
  await eventually(
    "nodes and Deployments are ready",
    async () => {
      const nodes = await objects.list<Node>("v1", "Node");
      const deployments = await objects.list<Deployment>("apps/v1", "Deployment", "ovs-traffic-control");
      const isReady = ({ status }: Node): boolean =>
        status?.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True") === true;
      assert.deepEqual(nodes.filter(isReady).length, cluster.nodes.length);
      assert.deepEqual(
        deployments.map(({ metadata: { name }, status }) => [name, status?.readyReplicas]),
        deployments.map(({ metadata: { name } }) => [name, 2]),
      );
      return true;
    },
    RECOVERY,
  );
  await eventually(
    "both TrafficControls are Ready, and each of their nodes has its programmer",
    async () => {
      for (const name of [MIRROR, REDIRECT]) await ready(objects, name);
      type Found = Reference & { spec: { nodeName?: string }; status?: { phase?: string } };
      const pods = await objects.list<Found>("v1", "Pod", "ovs-traffic-control-nodes");
      const running = pods.filter(({ status }) => status?.phase === "Running").map(({ spec }) => spec.nodeName ?? "");
      assert.deepEqual(
        running.sort(),
        stage()
          .web.map(({ node }) => node)
          .sort(),
      );
      return true;
    },
    RECOVERY,
  );
}

async function flowsOf(node: string): Promise<number> {
  const flows = await onNode(node, `ovs-ofctl -t 5 --no-stats -O OpenFlow14 dump-flows br-int '${OURS}'`);
  return flows.split("\n").filter((line) => line.includes("cookie=")).length;
}

async function placeDevice(node: string): Promise<void> {
  const cable = (name: string): string =>
    `ip link add ${name} type veth peer name ${name}-far; for d in ${name} ${name}-far; do ip link set $d addrgenmode none up; done`;
  const join = `ip link add e2e-fwire type bridge mcast_snooping 0; ip link set e2e-fwire addrgenmode none up`;
  const ends = [IN, OUT].map(
    (name) => `ip link set ${name}-far master e2e-fwire; bridge link set dev ${name}-far learning off`,
  );
  await onNode(node, [cable(IN), cable(OUT), join, ...ends].join("; "));
}

async function removeDevice(node: string): Promise<void> {
  await onNode(
    node,
    `for d in ${IN} ${OUT} e2e-fwire; do if ip link show $d >/dev/null 2>&1; then ip link del $d; fi; done`,
  );
}

async function onNode(node: string, script: string): Promise<string> {
  const { stdout, stderr, exitCode } = await stage().cluster.exec(node, "sh", ["-ec", script]);
  assert.equal(exitCode, 0, `${node}: ${script}: ${stderr}`);
  return stdout;
}

/** What a restart of ovs-vswitchd changes by itself: the cluster's note of it, and numbers of its devices. */
function isOfRestart(line: string): boolean {
  return /database: (Open_vSwitch .* external_ids=|Interface .* (ifindex|mac_in_use|link_resets)=)/.test(line);
}
