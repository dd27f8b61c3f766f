/** What administrators and distributions do to a bridge that carries taps: each time they are as wanted again. The programmer is the real one. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "../support/e2e/eventually";
import { DATAPATH, Lab } from "../support/lab";
import type { LabNode, LabPod, LabProgrammer, LabRule } from "../support/lab";
import { flows, ownFlows } from "../support/lab/contents";
import { slow } from "../support/slow";

const PINGS = 6;
const PATIENCE = { seconds: 20 };
const SAVE = "/usr/share/openvswitch/scripts/ovs-save";

describe("taps on a bridge that somebody works on", () => {
  let lab: Lab;
  let node: LabNode;
  let programmer: LabProgrammer;
  let a: LabPod;
  before(async () => {
    lab = await Lab.up({ nodes: { n1: ["a", "b"], n2: ["c"] } });
    node = lab.node("n1");
    a = lab.pod("a");
    programmer = await lab.programmer(node);
    programmer.start({ env: { COUNTER_SECONDS: "1" } });
    await a.ping(lab.pod("c"));
  });
  after(() => lab.down());

  const rule = (name: string, target: string, direction: LabRule["direction"]): LabRule => ({
    name,
    direction,
    targetPort: { ovsInternal: { name: target } },
    pods: [a],
  });
  const both = (): LabRule[] => [rule("x", "tap1", "Both")];
  const sent = (): LabRule[] => [rule("x", "tap1", "Egress"), rule("y", "tap2", "Egress")];

  /** What the taps have got while the Pod pinged, and what was on its own wire. */
  async function copies(taps: string[]): Promise<number[]> {
    const captures = [await lab.capture(a, "eth0", { filter: "icmp" })];
    for (const tap of taps) captures.push(await lab.capture(node, tap, { filter: "icmp" }));
    await a.ping(lab.pod("c"), { count: PINGS });
    return Promise.all(captures.map(async (capture) => (await capture.stop()).length));
  }

  /** The flows are those again that were there, apart from the numbers of ports, and copies are exact. */
  async function recovers(before: readonly string[]): Promise<void> {
    await eventually(
      "our flows are back",
      async () => {
        assert.deepEqual(withoutPorts(await ownFlows(node)), withoutPorts(before), programmer.log);
        return true;
      },
      PATIENCE,
    );
    await eventually(
      "each packet is copied once",
      async () => {
        assert.deepEqual(await copies(["tap1"]), [2 * PINGS, 2 * PINGS]);
        return true;
      },
      PATIENCE,
    );
  }

  for (const command of [
    ["set-fail-mode", "br-int", "secure"],
    ["set-controller", "br-int", "tcp:127.0.0.1:6653"],
    ["del-controller", "br-int"],
    ["set-fail-mode", "br-int", "standalone"],
  ])
    it(`are back after ${command.join(" ")}, which wipes all flows`, async () => {
      await programmer.apply(both());
      const before = await ownFlows(node);
      const watched = node.openflow.monitor("br-int");
      let wiped = 0;
      watched.on("flow", ({ event }) => (wiped += event === "DELETED" ? 1 : 0));
      await new Promise<void>((resolve) => watched.once("up", resolve));
      await node.vsctl(...command);
      // In secure mode, and with a controller, nobody but its owner gives the bridge a flow again.
      await node.ofctl("add-flow", "br-int", "priority=0,actions=NORMAL");
      await recovers(before);
      watched.close();
      assert.ok(wiped >= before.length, `${wiped} flows have been wiped`);
    });

  it("follow the plan on a bridge that speaks OpenFlow 1.3 only, or 1.5 only", async () => {
    for (const version of ["OpenFlow13", "OpenFlow15"]) {
      await programmer.apply(both());
      await node.vsctl("set", "bridge", "br-int", `protocols=${version}`);
      await programmer.apply(sent());
      assert.deepEqual(await copies(["tap1", "tap2"]), [2 * PINGS, PINGS, PINGS], version);
      await node.vsctl("clear", "bridge", "br-int", "protocols");
    }
    // The connection was lost, the flows were not: those of tap2 have to go all the same.
    await programmer.apply(both());
    assert.equal((await ownFlows(node)).filter((flow) => flow.startsWith("245 ")).length, 1);
  });

  it("are counted when somebody has changed them and they were put right, and only then", async () => {
    const started = await programmer.apply(both());
    const repairs = (): Promise<number> => programmer.status(() => true).then((status) => status.repairs ?? 0);
    const before = started.repairs ?? 0;
    await programmer.apply(sent());
    await programmer.apply(both());
    const own = await ownFlows(node);
    const counted = (why: string, count: number): Promise<unknown> =>
      eventually(
        `${why}: ${count} repairs more`,
        async () => {
          // A report follows a pass; any change of the database brings one.
          await node.vsctl("set", "bridge", "br-int", `other_config:nudge=${Date.now()}`);
          assert.equal((await repairs()) - before, count, programmer.log);
          return true;
        },
        PATIENCE,
      );
    await counted("plans that change are none", 0);
    await node.ofctl("del-flows", "br-int", "table=245");
    await recovers(own);
    await counted("deleted flows", 1);
    await node.vsctl("del-port", "br-int", "tap1");
    await recovers(own);
    await counted("a removed port", 2);
  });

  it("do not mind another hardware address, a flushed MAC table and settings that keep flows", async () => {
    await programmer.apply(both());
    const before = await ownFlows(node);
    await node.vsctl("set", "bridge", "br-int", "other_config:hwaddr=02:00:00:00:00:99");
    await node.vsctl("set", "bridge", "br-int", "mcast_snooping_enable=true");
    await node.appctl.command("ovs-vswitchd", "fdb/flush", "br-int");
    await recovers(before);
    await node.vsctl("set", "bridge", "br-int", "mcast_snooping_enable=false");
  });

  it("are made anew on a bridge that is deleted and made again", async () => {
    await programmer.apply(both());
    const before = await ownFlows(node);
    await node.vsctl("del-br", "br-int");
    await node.vsctl(
      ...["add-br", "br-int", "--", "set", "bridge", "br-int", `datapath_type=${DATAPATH}`, "fail_mode=standalone"],
      ...["--", "add-port", "br-int", "eth1", "--", ...a.attach(), "--", ...lab.pod("b").attach()],
    );
    await recovers(before);
  });

  it("are there while the database is away, and follow the plan that came meanwhile", async () => {
    await programmer.apply(both());
    await node.kill("ovsdb-server");
    const applied = programmer.apply(sent());
    await sleep(500);
    await node.startDatabase();
    await applied;
    assert.deepEqual(await copies(["tap1", "tap2"]), [2 * PINGS, PINGS, PINGS]);
  });

  it("outlive a restart that puts the old flows back over the new ones, as ovs-ctl's does by ovs-save", async () => {
    await programmer.apply(both());
    const old = await ownFlows(node);
    const restore = await node.exec(SAVE, "save-flows", "br-int");
    assert.match(restore, /replace-flows/);
    await node.killVswitchd();
    const applied = programmer.apply(sent());
    await node.startVswitchd();
    await applied;
    const wanted = await ownFlows(node);
    assert.notDeepEqual(wanted, old);
    await node.exec("sh", "-c", restore);
    await eventually(
      "the flows are those of the new plan",
      async () => {
        assert.deepEqual(await ownFlows(node), wanted);
        return true;
      },
      PATIENCE,
    );
    assert.deepEqual(await copies(["tap1", "tap2"]), [2 * PINGS, PINGS, PINGS]);
    assert.ok(
      (await flows(node)).some((flow) => flow.endsWith("NORMAL")),
      "the restored flows of others stay",
    );
  });

  // The last one: Open vSwitch 3.1 does not forward again on all ports after stp_enable=false, taps or not.
  slow("are copied with STP on, which lets none of its own ports through", async () => {
    await programmer.apply(both());
    const before = await ownFlows(node);
    const stp = ["other_config:stp-forward-delay=4", "other_config:stp-hello-time=1", "other_config:stp-max-age=6"];
    await node.vsctl("set", "bridge", "br-int", ...stp, "stp_enable=true");
    await recovers(before);
    assert.match(await node.vsctl("get", "port", a.port, "status"), /stp_state=forwarding/);
    assert.equal(await node.vsctl("get", "port", "tap1", "status"), "{}", "a target takes no part in STP");
  });
});

/** Port numbers may be new ones after a restart. */
function withoutPorts(all: readonly string[]): string[] {
  return all.map((flow) => flow.replace(/(in_port=|output:|resubmit\()\d+/g, "$1N")).sort();
}
