/**
 * `ovs-ctl restart`, by which distributions update Open vSwitch: it puts the flows back that it has saved before, ours among
 * them, and the plan may be another one by then. ovs-ctl and the programmer are the real ones.
 */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "../support/e2e/eventually";
import { Lab } from "../support/lab";
import type { LabNode, LabPod, LabProgrammer, LabRule } from "../support/lab";
import { foreignFlows, ownFlows } from "../support/lab/contents";
import { alive } from "../support/lab/place";
import { planOf } from "../support/lab/programmer";
import { slow } from "../support/slow";

const PINGS = 6;
const PATIENCE = { seconds: 60 };

describe("ovs-ctl restart", function () {
  this.timeout(240_000);
  let lab: Lab;
  let node: LabNode;
  let programmer: LabProgrammer;
  let a: LabPod;
  let others: string[];
  before(async () => {
    lab = await Lab.up({ nodes: { n1: ["a", "b"], n2: ["c"] } });
    node = lab.node("n1");
    a = lab.pod("a");
    await node.ofctl("add-flow", "br-int", "cookie=0x99,table=0,priority=100,arp,arp_tpa=10.9.0.250 actions=drop");
    await node.ofctl("add-flow", "br-int", "cookie=0x99,table=100,priority=1,ip,nw_dst=192.0.2.0/24 actions=NORMAL");
    others = await foreignFlows(node);
    programmer = await lab.program(node);
  });
  after(() => lab.down());

  const rule = (name: string, target: string, direction: LabRule["direction"]): LabRule => ({
    name,
    direction,
    targetPort: { ovsInternal: { name: target } },
    pods: [a],
  });
  const former = (): LabRule[] => [rule("x", "tap1", "Both")];
  const other = (): LabRule[] => [rule("x", "tap1", "Egress"), rule("y", "tap2", "Egress")];

  /** Restarts; calls `whileDown` when the former ovs-vswitchd has gone. */
  async function restart(whileDown: () => Promise<unknown>): Promise<void> {
    const [vswitchd, database] = [node.pid("ovs-vswitchd"), node.pid("ovsdb-server")];
    const down = async (): Promise<void> => {
      while (alive(vswitchd)) await sleep(2);
      await whileDown();
    };
    const [said] = await Promise.all([node.restart(), down()]);
    assert.match(said, /Saving flows/);
    assert.match(said, /Restoring saved flows/);
    for (const pid of [vswitchd, database]) assert.ok(!alive(pid), said);
  }

  const becomes = (wanted: readonly string[]): Promise<boolean> =>
    eventually(
      "our flows are those of the plan, and those of others as before",
      async () => {
        assert.deepEqual(withoutPorts(await ownFlows(node)), withoutPorts(wanted), programmer.log);
        assert.deepEqual(await foreignFlows(node), others);
        return true;
      },
      PATIENCE,
    );

  /** What was on the Pod's wire, and what the taps have got meanwhile. */
  async function copies(...taps: string[]): Promise<number[]> {
    const captures = [await lab.capture(a, "eth0", { filter: "icmp" })];
    for (const tap of taps) captures.push(await lab.capture(node, tap, { filter: "icmp" }));
    await a.ping(lab.pod("c"), { count: PINGS });
    return Promise.all(captures.map(async (capture) => (await capture.stop()).length));
  }
  const exact = (taps: string[], counts: number[]): Promise<boolean> =>
    eventually(
      `each packet is copied as the plan says: ${counts.join(", ")}`,
      async () => {
        assert.deepEqual(await copies(...taps), counts);
        return true;
      },
      PATIENCE,
    );

  it("brings back flows of a plan that is another one meanwhile: they go, and those of others stay", async () => {
    await programmer.apply(other());
    const wanted = await ownFlows(node);
    await programmer.apply(former());
    await exact(["tap1"], [2 * PINGS, 2 * PINGS]);
    await restart(() => programmer.put(planOf(other())));
    await becomes(wanted);
    await exact(["tap1", "tap2"], [2 * PINGS, PINGS, PINGS]);
  });

  slow("brings back flows of a plan that is empty meanwhile: nothing of ours is left", async () => {
    await programmer.apply(former());
    await restart(() => programmer.put(planOf([])));
    await becomes([]);
    await eventually(
      "its port has gone",
      async () => !(await node.vsctl("list-ports", "br-int")).includes("tap1"),
      PATIENCE,
    );
    assert.deepEqual(await copies(), [2 * PINGS]);
  });

  slow("keeps the taps of a programmer that is away; the next one finds the new plan", async () => {
    await programmer.apply(other());
    const wanted = await ownFlows(node);
    await programmer.apply(former());
    const before = await ownFlows(node);
    await programmer.stop("SIGKILL");
    await restart(() => programmer.put(planOf(other())));
    assert.deepEqual(withoutPorts(await ownFlows(node)), withoutPorts(before));
    await exact(["tap1"], [2 * PINGS, 2 * PINGS]);
    programmer.start();
    await becomes(wanted);
    await exact(["tap1", "tap2"], [2 * PINGS, PINGS, PINGS]);
  });
});

/** Port numbers may be new ones after a restart. */
function withoutPorts(all: readonly string[]): string[] {
  return all.map((flow) => flow.replace(/(in_port=|output:|resubmit\()\d+/g, "$1N")).sort();
}
