/**
 * Two programmers on one node, of which one has lost the lock between the look at it and its bundle of flows. OpenFlow knows
 * no lock: what it has on its way arrives whenever it does. The programmers are real ones.
 */
import assert from "node:assert/strict";
import { EXIT } from "@ovs-traffic-control/api";
import { eventually } from "../support/e2e/eventually";
import { Lab } from "../support/lab";
import type { LabNode, LabPod, LabProgrammer, LabRule } from "../support/lab";
import { database, ownFlows } from "../support/lab/contents";
import { HeldWay } from "../support/lab/held-way";
import { planOf } from "../support/lab/programmer";
import { slow } from "../support/slow";

const PINGS = 6;

describe("a programmer that has lost the lock between its look and its bundle", function () {
  this.timeout(180_000);
  let lab: Lab;
  let node: LabNode;
  let [a, c]: LabPod[] = [];
  let loser: LabProgrammer;
  let winner: LabProgrammer;
  let way: HeldWay;
  let untouched: string;
  beforeEach(async () => {
    lab = await Lab.up({ nodes: { n1: ["a"], n2: ["c"] } });
    node = lab.node("n1");
    [a, c] = [lab.pod("a"), lab.pod("c")];
    untouched = await database(node);
    way = await HeldWay.to(node);
    [loser, winner] = [await lab.programmer(node, "loser"), await lab.programmer(node, "winner")];
    await a.ping(c);
  });
  afterEach(async () => {
    way.close();
    await lab.down();
  });

  const tap = (direction: LabRule["direction"]): LabRule => ({
    name: "x",
    direction,
    targetPort: { ovsInternal: { name: "tap1" } },
    pods: [a!],
  });

  /** Until the bundle that follows the loser's look at the lock is on its way; then the loser stops, and the lock is free. */
  async function loses(): Promise<void> {
    await eventually("the loser's bundle is on its way", () => Promise.resolve(way.isHolding));
    process.kill(loser.pid, "SIGSTOP");
    // With its connection goes the lock.
    await node.kill("ovsdb-server");
    await node.startDatabase();
  }

  /** The loser's bundle arrives, then it sees what has happened meanwhile. */
  async function arrives(): Promise<void> {
    await way.release();
    process.kill(loser.pid, "SIGCONT");
    assert.equal(await loser.exit(), EXIT.superseded, loser.log);
  }

  async function copies(): Promise<number> {
    const capture = await lab.capture(node, "tap1", { filter: "icmp" });
    await a!.ping(c!, { count: PINGS });
    return (await capture.stop()).length;
  }

  async function startLoser(): Promise<void> {
    loser.start({ env: { OVS_RUNDIR: way.runDir } });
    await loser.apply([tap("Both")]);
    assert.equal(await copies(), 2 * PINGS);
    way.hold();
    await loser.put(planOf([tap("Egress")]));
    await loses();
  }

  it("changes nothing under a winner that stays", async () => {
    await startLoser();
    winner.start();
    await winner.apply([tap("Ingress")]);
    const before = await ownFlows(node);
    const monitor = node.openflow.monitor("br-int");
    const events: unknown[] = [];
    monitor.on("flow", (event) => events.push(event));
    await new Promise<void>((resolve) => monitor.once("up", resolve));
    await arrives();
    assert.deepEqual([await ownFlows(node), events], [before, []]);
    monitor.close();
    assert.equal(await copies(), PINGS);
  });

  it("changes nothing after a winner that has found everything as it should be, and has ended", async () => {
    await startLoser();
    const before = await ownFlows(node);
    await winner.put(planOf([tap("Both")]));
    winner.start({ once: true });
    assert.equal(await winner.exit(), EXIT.done, winner.log);
    assert.match(winner.log, /nothing to change/);
    // It is on its way whatever becomes of the loser.
    await loser.stop("SIGKILL");
    await way.release();
    assert.deepEqual(await ownFlows(node), before);
    assert.equal(await copies(), 2 * PINGS);
  });

  slow("takes back what it has written on a bridge from which the winner has removed everything", async () => {
    way.hold();
    loser.start({ env: { OVS_RUNDIR: way.runDir } });
    await loser.put(planOf([tap("Both")]));
    await loses();
    winner.start();
    await winner.apply([tap("Egress")]);
    await winner.apply([]);
    await arrives();
    assert.deepEqual([await ownFlows(node), await database(node)], [[], untouched]);
    await a!.ping(c!);
  });
});
