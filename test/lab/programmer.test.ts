/** The life of the node programmer's process: how it ends and with which code, who may act, and what it leaves behind. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { EXIT } from "@ovs-traffic-control/api";
import { Ovsdb } from "../../packages/ovs-ofctl-wrapper/src/index";
import { eventually } from "../support/e2e/eventually";
import { value } from "../support/lab-result";
import { Lab } from "../support/lab";
import type { LabNode, LabPod, LabProgrammer, LabRule } from "../support/lab";
import { database, ownFlows } from "../support/lab/contents";
import { planOf } from "../support/lab/programmer";
import { long } from "../support/slow";

const PINGS = 5;
const PATIENCE = { seconds: 30, pauseMilliseconds: 10 };

/** It waits for seconds where nothing may happen: in the long suite only. */
long("the node programmer's process", () => {
  let lab: Lab;
  let node: LabNode;
  let a: LabPod;
  let peer: LabPod;
  let programmer: LabProgrammer;
  let empty: string;
  before(async () => {
    lab = await Lab.up({ nodes: { n1: ["a"], n2: ["peer"] } });
    node = lab.node("n1");
    a = lab.pod("a");
    peer = lab.pod("peer");
    empty = await database(node);
  });
  beforeEach(async () => {
    programmer = await lab.programmer(node);
  });
  /** Whatever a test has left: the next programmer cleans it up, also after one that was killed. */
  afterEach(async () => {
    await programmer.stop("SIGKILL");
    await programmer.put(planOf([]));
    programmer.start({ once: true });
    assert.equal(await programmer.exit(), EXIT.done, programmer.log);
    assert.deepEqual([await ownFlows(node), await database(node)], [[], empty], "nothing of ours is left");
  });
  after(() => lab.down());

  const tap = (target: string, direction: LabRule["direction"] = "Both", pods: LabRule["pods"] = [a]): LabRule => ({
    name: "x",
    direction,
    targetPort: { ovsInternal: { name: target } },
    pods,
  });
  const missing = { name: "missing", uid: "00000000-0000-4000-8000-00000000ffff" };

  /** Copies at tap1 of the Pod's echo requests and their answers. */
  async function copies(): Promise<number> {
    const capture = await lab.capture(node, "tap1", { filter: "icmp" });
    await a.ping(peer, { count: PINGS });
    return (await capture.stop()).length;
  }

  it("ends with 0 in once mode when the plan is in force, which it leaves in place", async () => {
    const { hash } = await programmer.put(planOf([tap("tap1")]));
    programmer.start({ once: true });
    assert.equal(await programmer.exit(), EXIT.done, programmer.log);
    const status = await programmer.read();
    assert.deepEqual([status.observedHash, status.realizedPods, status.conditions?.[0]?.status], [hash, 1, "True"]);
    assert.equal(await copies(), 2 * PINGS);
  });

  it("ends with 65 in once mode when a Pod is pending; the others are tapped", async () => {
    await programmer.put(planOf([tap("tap1", "Both", [a, missing])]));
    programmer.start({ once: true });
    assert.equal(await programmer.exit(), EXIT.podsPending, programmer.log);
    const { realizedPods, rules } = await programmer.read();
    assert.deepEqual([realizedPods, rules?.[0]?.pendingPods.map(({ name }) => name)], [1, ["missing"]]);
    assert.equal(await copies(), 2 * PINGS);
  });

  it("ends with 64 when a plan cannot be acted on, and leaves what the plan before has made", async () => {
    programmer.start();
    await programmer.apply([tap("tap1")]);
    const before = [await ownFlows(node), await database(node)];
    const plan = planOf([tap("tap2")]);
    await programmer.put({ ...plan, hash: "bad", pods: [{ ...plan.pods[0]!, class: 7 }] });
    assert.equal(await programmer.exit(), EXIT.badPlan);
    assert.match(programmer.log, /Pod a has class 7, but there are 1/);
    assert.deepEqual([await ownFlows(node), await database(node)], before);
  });

  it("ends with 69 in once mode when the database does not answer", async () => {
    await programmer.put(planOf([tap("tap1")]));
    await node.kill("ovsdb-server");
    programmer.start({ once: true });
    const code = await programmer.exit();
    await node.startDatabase();
    assert.equal(code, EXIT.ovsUnreachable, programmer.log);
    assert.match(programmer.log, /Is Open vSwitch running on this node/);
  });

  it("ends with 69 in once mode when ovs-vswitchd does not answer, and says so", async () => {
    await programmer.put(planOf([tap("tap1")]));
    await node.killVswitchd();
    programmer.start({ once: true });
    const code = await programmer.exit();
    await node.startVswitchd();
    assert.equal(code, EXIT.ovsUnreachable, programmer.log);
    const [ready] = (await programmer.read()).conditions ?? [];
    assert.deepEqual([ready?.status, ready?.reason], ["False", "OVSUnreachable"]);
  });

  it("ends with 0 at once after its last TrafficControl if it shall not linger", async () => {
    programmer.start({ lingerSeconds: 0 });
    await programmer.apply([tap("tap1")]);
    const { hash } = await programmer.put(planOf([]));
    assert.equal(await programmer.exit(), EXIT.done, programmer.log);
    assert.equal((await programmer.read()).observedHash, hash);
    assert.deepEqual([await ownFlows(node), await database(node)], [[], empty]);
  });

  it("lingers as long as it shall, and goes on with a plan that comes meanwhile", async () => {
    const lingerSeconds = 3;
    programmer.start({ lingerSeconds });
    await programmer.apply([]);
    await programmer.apply([tap("tap1")]);
    await sleep(lingerSeconds * 1000 + 200);
    assert.equal(await copies(), 2 * PINGS);
    await programmer.apply([tap("tap2")]);
    const since = performance.now();
    await programmer.put(planOf([]));
    assert.equal(await programmer.exit(), EXIT.done, programmer.log);
    assert.ok(performance.now() - since >= lingerSeconds * 1000, "it ended too early");
  });

  it("ends with 77 when its lock is stolen, and leaves the taps", async () => {
    programmer.start();
    await programmer.apply([tap("tap1")]);
    const thief = await Ovsdb.connect(node.options);
    value(await thief.lock("ovs_traffic_control", "steal"));
    assert.equal(await programmer.exit(), EXIT.superseded, programmer.log);
    assert.equal(await copies(), 2 * PINGS);
    thief.close();
  });

  it("writes nothing more when it has lost the lock in the middle of a pass, however late it notices", async () => {
    programmer.start();
    await programmer.apply([tap("tap1")]);
    // It has looked at the lock and waits for its new port; the flows are to follow.
    process.kill(node.pid("ovs-vswitchd"), "SIGSTOP");
    await programmer.put(planOf([tap("tap2", "Egress")]));
    await eventually(
      "the new port is ordered",
      () => node.vsctl("--no-wait", "list-ports", "br-int").then((all) => all.includes("tap2")),
      PATIENCE,
    );
    process.kill(programmer.pid, "SIGSTOP");
    process.kill(node.pid("ovs-vswitchd"), "SIGCONT");
    // With its connection goes the lock, while it does not notice anything.
    await node.kill("ovsdb-server");
    await node.startDatabase();
    const next = await lab.programmer(node, "next");
    await next.put(planOf([tap("tap1", "Ingress")]));
    next.start();
    await next.status(({ realizedPods }) => realizedPods === 1);
    const before = [await ownFlows(node), await database(node), await programmer.read()];
    const watched = node.openflow.monitor("br-int");
    const events: unknown[] = [];
    watched.on("flow", (event) => events.push(event));
    await new Promise<void>((resolve) => watched.once("up", resolve));

    process.kill(programmer.pid, "SIGCONT");
    const code = await programmer.exit();
    watched.close();
    assert.deepEqual(events, [], programmer.log);
    assert.equal(code, EXIT.superseded, programmer.log);
    assert.deepEqual([await ownFlows(node), await database(node), await programmer.read()], before);
    assert.equal(await copies(), PINGS);
    assert.equal(await next.stop(), EXIT.done);
  });

  it("leaves nothing behind for good, at whatever moment it is killed", async () => {
    for (const delay of [0, 10, 30, 60, 100, 200]) {
      await programmer.put(planOf([]));
      programmer.start();
      await programmer.status(({ conditions }) => conditions?.[0]?.status === "True");
      await programmer.put(planOf([tap("tap1"), { ...tap("tap2", "Egress"), name: "y" }]));
      await sleep(delay);
      await programmer.stop("SIGKILL");
      await programmer.put(planOf([]));
      programmer.start({ once: true });
      assert.equal(await programmer.exit(), EXIT.done, programmer.log);
      assert.deepEqual([await ownFlows(node), await database(node)], [[], empty], `killed after ${delay} ms`);
    }
  });
});
