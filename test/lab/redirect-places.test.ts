/**
 * Where redirected packets belong when they come back is not always what the plan says: VLANs, MAC addresses that move, and
 * copies of other nodes, which are not redirected at all. The programmer is the real one.
 */
import assert from "node:assert/strict";
import { eventually } from "../support/e2e/eventually";
import { Lab } from "../support/lab";
import type { LabPod, LabProgrammer, LabRule } from "../support/lab";
import { echoes, forget, handDevice, learned, learnedByBridge, seen, through } from "../support/lab/inline";
import type { Place } from "../support/lab/inline";

const PINGS = 6;

describe("a redirect in VLANs", () => {
  let lab: Lab;
  before(async () => {
    lab = await Lab.up({ nodes: { n1: ["a", "b"], n2: ["c"] } });
  });
  after(() => lab.down());

  it("delivers what comes back to access ports and a tagged uplink, though nothing is learned", async () => {
    const node = lab.node("n1");
    const [a, b, c] = [lab.pod("a"), lab.pod("b"), lab.pod("c")];
    for (const pod of [a, b, c]) await pod.node.vsctl("set", "port", pod.port, "tag=100");
    const hand = await handDevice(lab, node);
    const programmer = await lab.program(node);
    await programmer.apply([through(hand, [a])]);
    await forget(node);
    const at = await seen(
      lab,
      [
        [a, "eth0"],
        [b, "eth0"],
        [c, "eth0"],
        [node, "eth1"],
      ],
      () =>
        hand.giveBack(
          { source: a.mac, destination: b.mac },
          { source: a.mac, destination: c.mac },
          { source: b.mac, destination: a.mac },
          { source: c.mac, destination: a.mac, vlan: 100 },
          // Of another tenant's machines with the same addresses.
          { source: c.mac, destination: a.mac, vlan: 200 },
          { source: a.mac, destination: c.mac, vlan: 200 },
        ),
    );
    const own = at.map((packets) =>
      packets.filter(({ inner }) => inner.source === "192.0.2.1").map(({ inner }) => inner),
    );
    const to = (pod: LabPod, index: number): string[] =>
      own[index]!.filter(({ destinationMAC }) => destinationMAC === pod.mac)
        .map(({ sourceMAC, vlan }) => `${sourceMAC} ${vlan ?? "untagged"}`)
        .sort();
    assert.deepEqual(to(a, 0), [`${b.mac} untagged`, `${c.mac} untagged`]);
    assert.deepEqual(to(b, 1), [`${a.mac} untagged`]);
    assert.deepEqual(to(c, 2), [`${a.mac} untagged`]);
    assert.deepEqual(to(c, 3), [`${a.mac} 100`], "on the uplink");
    assert.deepEqual(await learned(node), []);

    const wire = await lab.addWire(node, "w1");
    await programmer.apply([through(wire, [a])]);
    for (const peer of [b, c]) {
      const places: Place[] = [
        [a, "eth0"],
        [node, wire.target],
      ];
      const [pod, device] = await seen(lab, places, () => a.ping(peer, { count: PINGS }));
      assert.equal(echoes(pod!).length, 2 * PINGS, peer.name);
      assert.deepEqual(echoes(device!), echoes(pod!), peer.name);
    }
  });
});

describe("a redirected Pod's MAC address", function () {
  this.timeout(120_000);
  let lab: Lab;
  beforeEach(async () => {
    lab = await Lab.up({ nodes: { n1: ["a", "b", "near"], n2: ["far"] } });
  });
  afterEach(() => lab.down());

  it("that appears at another port is known there before its first packet, which is not lost", async () => {
    const node = lab.node("n1");
    const [a, b, far] = [lab.pod("a"), lab.pod("b"), lab.pod("far")];
    const wire = await lab.addWire(node, "w1");
    const programmer = await lab.program(node);
    await programmer.apply([through(wire, [a])]);
    const isSender = async (port: number): Promise<boolean> =>
      (await node.ofctl("dump-flows", "br-int", `table=242,in_port=${port}`)).includes("in_port=");
    for (const peer of [b, far]) {
      assert.equal((await peer.ping(a, { count: PINGS })).received, PINGS);
      const before = await node.ofport(a.port);
      await node.vsctl("del-port", "br-int", a.port);
      await eventually("its port is forgotten", async () => !(await isSender(before)));
      await node.vsctl(...a.attach());
      const now = await node.ofport(a.port);
      assert.notEqual(now, before);
      await eventually("its new port is known", () => isSender(now));
      await node.appctl.command("ovs-vswitchd", "revalidator/wait");
      // At once: what the datapath has kept of the old way is gone after ten seconds.
      assert.equal((await a.ping(peer, { count: PINGS })).received, PINGS, peer.name);
    }
  });

  for (const place of ["near", "far"])
    it(`that appears ${place === "near" ? "behind another port" : "on another node"} is learned there, before what the plan says`, async () => {
      const node = lab.node("n1");
      const [a, b, moved] = [lab.pod("a"), lab.pod("b"), lab.pod(place)];
      const wire = await lab.addWire(node, "w1");
      const programmer = await lab.program(node);
      await programmer.apply([through(wire, [a, b])]);
      assert.equal((await b.ping(a, { count: PINGS })).received, PINGS);
      await a.exec("ip", "link", "set", "eth0", "down");
      await moved.exec("ip", "link", "set", "eth0", "down");
      await moved.exec("ip", "link", "set", "eth0", "address", a.mac);
      await moved.exec("ip", "addr", "add", `${a.address}/24`, "dev", "eth0");
      await moved.exec("ip", "link", "set", "eth0", "up");
      // What announces it is redirected to b, and comes back as from its new place.
      await moved.exec("ping", "-q", "-c", "1", "-W", "5", "-I", a.address, b.address);
      const idle = await lab.capture(node, a.port, { filter: "icmp" });
      const [own, device] = await seen(
        lab,
        [
          [b, "eth0"],
          [node, wire.target],
        ],
        async () => {
          assert.equal((await b.ping(a.address, { count: PINGS })).received, PINGS);
        },
      );
      assert.equal(echoes(own!).length, 2 * PINGS);
      assert.deepEqual(echoes(device!), echoes(own!));
      assert.deepEqual(await idle.stop(), [], "nothing goes where it was");
      const port = await node.ofport(place === "near" ? moved.port : "eth1");
      assert.equal((await learnedByBridge(node)).get(a.mac), port);
    });
});

describe("copies of another node's TrafficControl", () => {
  let lab: Lab;
  let [local, remote]: LabProgrammer[] = [];
  before(async () => {
    lab = await Lab.up({ nodes: { n1: ["collector"], n2: ["c", "d"] } });
    // The node has an address in the Pods' network, so that its Open vSwitch can route to Pods.
    await lab.node("n2").exec("ip", "addr", "add", "10.9.0.252/24", "dev", "br-int");
    [local, remote] = await Promise.all(["n1", "n2"].map((name) => lab.program(lab.node(name))));
  });
  after(() => lab.down());

  for (const kind of ["vxlan", "gre"] as const)
    it(`to a Pod that is redirected and mirrored here are neither (${kind})`, async () => {
      const here = lab.node("n1");
      const [collector, c, d] = [lab.pod("collector"), lab.pod("c"), lab.pod("d")];
      const remoteIP = collector.address;
      const targetPort =
        kind === "vxlan" ? { vxlan: { remoteIP, destinationPort: 4789, vni: 3 } } : { gre: { remoteIP, key: 3 } };
      const wire = await lab.addWire(here, `w-${kind}`);
      const mine: LabRule[] = [
        { name: "copy", direction: "Both", targetPort: { ovsInternal: { name: "tap1" } }, pods: [collector] },
        through(wire, [collector]),
      ];
      await local!.apply(mine);
      const status = await remote!.apply([{ name: "x", direction: "Both", targetPort, pods: [c] }]);
      assert.equal(status.conditions?.[0]?.status, "True", status.conditions?.[0]?.message);
      const places: Place[] = [
        [collector, "eth0"],
        [here, wire.target],
        [here, "tap1"],
      ];
      const filter = kind === "vxlan" ? "udp port 4789" : "ip proto 47";
      const counted = async (): Promise<number[]> =>
        (await seen(lab, places, () => c.ping(d, { count: PINGS }), filter)).map((packets) => echoes(packets).length);
      assert.deepEqual(
        await counted(),
        [2 * PINGS, 2 * PINGS, 2 * PINGS],
        "traffic as any other, as far as this node knows",
      );
      await local!.apply(mine, [{ remoteIP, ...(kind === "vxlan" ? { udpPort: 4789 } : {}) }]);
      assert.deepEqual(await counted(), [2 * PINGS, 0, 0]);
    });
});
