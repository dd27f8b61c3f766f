/** What a rule's counters in the plan's status say, whatever happens to flows, daemons and programmers meanwhile. The programmer is the real one. */
import assert from "node:assert/strict";
import type { PlanStatus } from "@ovs-traffic-control/api";
import { eventually } from "../support/e2e/eventually";
import { DATAPATH, Lab } from "../support/lab";
import type { LabNode, LabPod, LabProgrammer, LabRule } from "../support/lab";
import { ownFlows } from "../support/lab/contents";
import { planOf } from "../support/lab/programmer";

const PINGS = 5;
const OFTEN = { env: { AUDIT_SECONDS: "0.1", COUNTER_SECONDS: "0.1" } };
const PATIENCE = { seconds: 60, pauseMilliseconds: 20 };

describe("a rule's counters", function () {
  this.timeout(120_000);
  let lab: Lab;
  let node: LabNode;
  let programmer: LabProgrammer;
  let [a, b, peer]: LabPod[] = [];
  beforeEach(async () => {
    lab = await Lab.up({ nodes: { n1: ["a", "b"], n2: ["peer"] } });
    node = lab.node("n1");
    [a, b, peer] = ["a", "b", "peer"].map((name) => lab.pod(name));
    for (const pod of [a!, b!]) await pod.ping(peer!);
    programmer = await lab.programmer(node);
    programmer.start(OFTEN);
  });
  afterEach(() => lab.down());

  const tap = (target: string, more: Partial<LabRule> = {}): LabRule => ({
    name: "x",
    direction: "Both",
    targetPort: { ovsInternal: { name: target } },
    pods: [a!],
    ...more,
  });
  const counted = async (): Promise<number> => (await programmer.read()).rules?.[0]?.packets ?? 0;
  /** It says so in the end, and has not said more. */
  const becomes = (packets: number): Promise<boolean> =>
    eventually(
      `${packets} packets are counted`,
      async () => {
        const now = await counted();
        assert.ok(now <= packets, `${now} packets are counted`);
        return now === packets;
      },
      PATIENCE,
    );
  /** How many packets that were, on the Pod's own wire. */
  const ping = async (pod = a!): Promise<number> => {
    const wire = await lab.capture(pod, "eth0", { filter: "icmp" });
    await pod.ping(peer!, { count: PINGS });
    return (await wire.stop()).length;
  };
  /** Without IPv6 of its own accord, which would be counted as well. */
  const isSilent = async (): Promise<void> => {
    for (const pod of [a!, b!]) await pod.exec("sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=1");
  };

  it("begin at 0, also for a rule that takes the place of another one in one change", async () => {
    await isSilent();
    await programmer.apply([tap("tap1")]);
    await becomes(await ping());
    await programmer.apply([tap("tap1", { name: "y" })]);
    await becomes(await ping());
  });

  it("go on when ovs-vswitchd was restarted while no programmer ran", async () => {
    await isSilent();
    await programmer.apply([tap("tap1")]);
    const before = await ping();
    await becomes(before);
    const status = await programmer.read();
    await programmer.stop("SIGKILL");
    await node.killVswitchd();
    await node.startVswitchd();
    // As the API server would: the plan's object carries what was written last.
    const { hash } = await programmer.put(planOf([tap("tap1")]), status);
    programmer.start(OFTEN);
    await programmer.status(({ observedHash, realizedPods }) => observedHash === hash && realizedPods === 1);
    await eventually("the flows are back", async () => (await ownFlows(node)).length > 0, PATIENCE);
    await eventually("the Pods talk", async () => (await b!.ping(peer!, { count: 1 })).received === 1, PATIENCE);
    await becomes(before + (await ping()));
  });

  it("count nothing twice when one of two bridges loses its flows", async () => {
    await isSilent();
    await node.vsctl("del-port", "br-int", b!.port);
    await node.vsctl(
      ...["add-br", "br-b", "--", "set", "bridge", "br-b", `datapath_type=${DATAPATH}`],
      ...["--", "add-port", "br-b", "to-int", "--", "set", "interface", "to-int", "type=patch", "options:peer=to-b"],
      ...["--", "add-port", "br-int", "to-b", "--", "set", "interface", "to-b", "type=patch", "options:peer=to-int"],
      ...["--", ...b!.attach().map((word) => (word === "br-int" ? "br-b" : word))],
    );
    await b!.ping(peer!);
    await programmer.apply([tap("tap1", { pods: [a!, b!] })]);
    const first = (await ping()) + (await ping(b));
    await becomes(first);
    await node.ofctl("del-flows", "br-b", "cookie=0x5443000000000000/0xffff000000000000");
    await eventually("they are back", async () => (await flowsOf("br-b")) > 0, PATIENCE);
    await becomes(first + (await ping()) + (await ping(b)));
  });

  async function flowsOf(bridge: string): Promise<number> {
    const dump = await node.openflow.dumpFlows(bridge, { table: 240 });
    return dump.ok ? dump.value.length : 0;
  }

  it("never go back: over other plans, restarts of ovs-vswitchd and of the programmer", async () => {
    let last = { packets: 0, bytes: 0 };
    const wentBack: string[] = [];
    /** Pings until the rule's counters have grown by some packets at least; they never go back meanwhile. */
    const grows = (why: string): Promise<PlanStatus> => {
      const from = last;
      return eventually(
        `the counters grow with ${why}`,
        async () => {
          await a!.ping(peer!, { count: PINGS });
          const status = await programmer.read();
          const { packets = last.packets, bytes = last.bytes } = status.rules?.[0] ?? {};
          if (packets < last.packets || bytes < last.bytes)
            wentBack.push(`${why}: ${last.packets} → ${packets} packets`);
          last = { packets, bytes };
          return packets >= from.packets + PINGS && bytes > from.bytes && status;
        },
        PATIENCE,
      );
    };
    await programmer.apply([tap("tap1")]);
    await grows("a first plan");
    await programmer.apply([tap("tap2", { direction: "Egress" })]);
    await grows("another target and direction");
    const flows = (await ownFlows(node)).length;
    await node.killVswitchd();
    await node.startVswitchd();
    await eventually("the flows are back", async () => (await ownFlows(node)).length === flows, PATIENCE);
    const status = await grows("another ovs-vswitchd");
    await programmer.stop("SIGKILL");
    await programmer.put(planOf([tap("tap2", { direction: "Egress" })]), status);
    programmer.start(OFTEN);
    await grows("another programmer");
    await programmer.apply([tap("tap1")]);
    await grows("another programmer and another plan");
    assert.deepEqual(wentBack, []);
  });
});
