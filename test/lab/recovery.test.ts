/** What happens when something dies or meddles, and that everything that is not ours stays as it was. The programmer is the real one. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { Lab } from "../support/lab";
import type { LabNode, LabPod, LabProgrammer, LabRule } from "../support/lab";
import { database, flows, foreignFlows, ownFlows } from "../support/lab/contents";

const PINGS = 6;
const TAP = "tap1";
/** Kind of flow in the low bits of its cookie. */
const MARKER = 1n;

describe("Open vSwitch around the taps", () => {
  let lab: Lab;
  let node: LabNode;
  let programmer: LabProgrammer;
  let a: LabPod;
  const rules = (): LabRule[] => [
    { name: "x", direction: "Both", targetPort: { ovsInternal: { name: TAP } }, pods: [a] },
    {
      name: "y",
      direction: "Egress",
      targetPort: { vxlan: { remoteIP: "172.31.0.200", destinationPort: 4789, vni: 9 } },
      pods: [a, lab.pod("b")],
    },
  ];
  before(async () => {
    lab = await Lab.up({ nodes: { n1: ["a", "b"], n2: ["c"] } });
    node = lab.node("n1");
    a = lab.pod("a");
    // Somebody else's flows and ports, in the shared table and in tables that are ours elsewhere.
    await node.ofctl("add-flow", "br-int", "cookie=0x99,table=0,priority=100,arp,arp_tpa=10.9.0.250 actions=drop");
    await node.ofctl("add-flow", "br-int", "cookie=0x99,table=100,priority=1,ip,nw_dst=192.0.2.0/24 actions=NORMAL");
    await node.vsctl(
      ...["add-port", "br-int", "theirs", "--", "set", "interface", "theirs", "type=internal"],
      ...["--", "set", "port", "theirs", "tag=7", "external_ids:owner=somebody"],
    );
    programmer = await lab.program(node);
  });
  after(() => lab.down());

  const ours = (): Promise<string[]> => ownFlows(node);

  /** Copies at the tap while the Pod has pinged, and the Pod's own echoes meanwhile. */
  async function copies(): Promise<{ copied: number; wire: number }> {
    const captures = [
      await lab.capture(node, TAP, { filter: "icmp" }),
      await lab.capture(a, "eth0", { filter: "icmp" }),
    ] as const;
    await a.ping(lab.pod("c"), { count: PINGS });
    await Promise.all(captures.map((capture) => capture.reach(2 * PINGS, 1000)));
    await sleep(50);
    const [copied, wire] = captures.map((capture) => capture.count);
    await Promise.all(captures.map((capture) => capture.discard()));
    return { copied: copied!, wire: wire! };
  }
  const exact = { copied: 2 * PINGS, wire: 2 * PINGS };

  it("leaves flows, ports and rows of others as they were: while taps are there, and after the last one has gone", async () => {
    await programmer.apply([]);
    const before = { flows: await flows(node), database: await database(node) };
    assert.deepEqual(await ours(), []);

    await programmer.apply(rules());
    assert.ok((await ours()).length > 0);
    assert.deepEqual(await foreignFlows(node), before.flows);
    assert.deepEqual(await copies(), exact);

    const status = await programmer.apply([]);
    assert.deepEqual(status.ports ?? [], []);
    assert.deepEqual({ flows: await flows(node), database: await database(node) }, before);
    assert.equal((await node.attempt("ip", "link", "show", TAP)).exitCode, 1, "the internal port has gone");
  });

  it("brings the flows back when ovs-vswitchd has crashed and been started again", async () => {
    await programmer.apply(rules());
    const before = await ours();
    assert.deepEqual(await copies(), exact);
    await node.killVswitchd();
    await sleep(200);
    await node.startVswitchd();
    await until(async () => (await ours()).length === before.length);
    assert.deepEqual(withoutPorts(await ours()), withoutPorts(before));
    assert.deepEqual(await copies(), exact);
  });

  it("brings its flows back when somebody deletes them, one or all", async () => {
    await programmer.apply(rules());
    const before = await ours();
    await node.ofctl("--strict", "del-flows", "br-int", "table=0,priority=65535,reg14=0/0x1");
    await until(async () => (await ours()).length === before.length);
    await node.ofctl("del-flows", "br-int");
    await node.ofctl("add-flow", "br-int", "priority=0,actions=NORMAL");
    await until(async () => (await ours()).length === before.length);
    assert.deepEqual(await ours(), before);
    assert.deepEqual(await copies(), exact);
  });

  it("makes its port anew when somebody deletes it", async () => {
    await programmer.apply(rules());
    await node.vsctl("del-port", "br-int", TAP);
    await until(async () => (await node.attempt("ip", "link", "show", "up", TAP)).stdout !== "");
    await until(async () => (await copies()).copied === exact.copied);
  });

  it("changes nothing when the programmer is ended, killed or started again", async () => {
    await programmer.apply(rules());
    const before = { flows: await ours(), database: await database(node) };
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      const code = await programmer.stop(signal);
      if (signal === "SIGTERM") assert.equal(code, 0, programmer.log);
      assert.deepEqual(await copies(), exact, "the taps stay");
      const watched = node.openflow.monitor("br-int");
      const events: unknown[] = [];
      // But for the marker's, which says that nobody else's bundle can follow any more.
      watched.on("flow", (event) => (event.cookie & 0xffffn) === MARKER || events.push(event));
      await new Promise<void>((resolve) => watched.once("up", resolve));
      programmer.start();
      await until(() => Promise.resolve(/nothing to change/.test(programmer.log)));
      await sleep(200);
      watched.close();
      assert.deepEqual(events, [], "no flow has been touched");
      assert.deepEqual({ flows: await ours(), database: await database(node) }, before);
    }
  });

  it("lets one programmer act on a node at a time, and the next take over when it dies", async () => {
    await programmer.apply(rules());
    const second = await lab.program(node);
    await until(() => Promise.resolve(/another programmer is at work/.test(second.log)));
    await programmer.stop("SIGKILL");
    await until(() => Promise.resolve(/nothing to change/.test(second.log)));
    assert.deepEqual(await copies(), exact);
    assert.equal(await second.stop(), 0);
    programmer.start();
    await until(() => Promise.resolve(/nothing to change/.test(programmer.log)));
  });

  it("follows a Pod whose port is made anew", async () => {
    await programmer.apply(rules());
    await node.vsctl("del-port", "br-int", a.port);
    await programmer.status((status) => (status.realizedPods ?? 2) < 2);
    await node.vsctl(...a.attach());
    await programmer.status(({ realizedPods }) => realizedPods === 2);
    assert.deepEqual(await copies(), exact);
  });

  it("says why a target cannot be made, and heals when the device appears", async () => {
    const device = [{ ...rules()[0]!, targetPort: { device: { name: "late" } } }];
    const status = await programmer.apply(device);
    const condition = status.conditions?.[0];
    assert.equal(condition?.status, "False");
    assert.match(condition.message, /no device late on this node/);
    const peer = await lab.addDevice(node, "late");
    await programmer.status(({ conditions }) => conditions?.[0]?.status === "True");
    const capture = await lab.capture(node, peer, { filter: "icmp" });
    await a.ping(lab.pod("c"), { count: PINGS });
    assert.equal((await capture.stop()).length, 2 * PINGS);
    await programmer.apply([]);
  });
});

/** Port numbers may be new ones after a restart. */
function withoutPorts(flows: string[]): string[] {
  return flows.map((flow) => flow.replace(/(in_port=|output:)\d+/g, "$1N")).sort();
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`This did not become true within 20 s: ${condition.toString()}`);
    await sleep(20);
  }
}
