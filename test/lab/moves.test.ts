/** Port numbers and MAC addresses that change hands while a Pod is tapped, and uplinks of several devices. The programmer is the real one. */
import assert from "node:assert/strict";
import { eventually } from "../support/e2e/eventually";
import { Lab } from "../support/lab";
import type { LabNode, LabPod, LabProgrammer, Packet } from "../support/lab";

const PINGS = 6;

function echoes(packets: readonly Packet[], type?: number): number {
  return packets.filter(({ inner: { icmpType = -1 } }) => (type === undefined ? [0, 8] : [type]).includes(icmpType))
    .length;
}

describe("a tapped Pod", () => {
  let lab: Lab;
  let node: LabNode;
  let programmer: LabProgrammer;
  let [a, b, late, moved]: LabPod[] = [];
  beforeEach(async () => {
    lab = await Lab.up({ nodes: { n1: ["a", "b", "late"], n2: ["moved", "c"] } });
    node = lab.node("n1");
    [a, b, late, moved] = ["a", "b", "late", "moved"].map((name) => lab.pod(name));
    programmer = await lab.program(node);
    await programmer.apply([
      { name: "x", direction: "Both", targetPort: { ovsInternal: { name: "tap1" } }, pods: [a!] },
    ]);
    for (const peer of [b!, lab.pod("c")]) await a!.ping(peer);
  });
  afterEach(() => lab.down());

  async function copies(from: LabPod, to: LabPod | string): Promise<Packet[]> {
    const capture = await lab.capture(node, "tap1", { filter: "icmp" });
    assert.equal((await from.ping(to, { count: PINGS })).received, PINGS);
    return capture.stop();
  }

  it("leaves its port number to another one after a restart, whose packets are not copied", async () => {
    const number = await node.ofport(a!.port);
    await node.vsctl("del-port", "br-int", late!.port, "--", "del-port", "br-int", a!.port);
    await programmer.status(({ realizedPods }) => realizedPods === 0);
    await node.killVswitchd();
    await node.startVswitchd();
    await node.vsctl(...late!.attach(), "--", "set", "interface", late!.port, `ofport_request=${number}`);
    assert.equal(await node.ofport(late!.port), number, "the number is used again");
    assert.deepEqual(await copies(late!, b!), []);
    assert.deepEqual(await copies(late!, lab.pod("c")), []);
    await node.vsctl(...a!.attach());
    await programmer.status(({ realizedPods }) => realizedPods === 1);
    assert.equal(echoes(await copies(a!, b!)), 2 * PINGS);
    assert.equal(echoes(await copies(late!, b!)), 0);
  });

  it("takes its MAC address to another node, as in a live migration, and its traffic follows at once", async () => {
    assert.equal(echoes(await copies(b!, a!)), 2 * PINGS);
    await a!.exec("ip", "link", "set", "eth0", "down");
    await moved!.exec("ip", "link", "set", "eth0", "down");
    await moved!.exec("ip", "link", "set", "eth0", "address", a!.mac);
    await moved!.exec("ip", "addr", "add", `${a!.address}/24`, "dev", "eth0");
    await moved!.exec("ip", "link", "set", "eth0", "up");
    // What announces it, as a hypervisor does by a gratuitous ARP: a broadcast from its new place.
    await moved!.attempt("ping", "-b", "-q", "-c", "1", "-W", "0.2", "10.9.0.255");
    const packets = await copies(b!, a!.address);
    // Still addressed to a Pod of this node's plan; what it answers is not sent by that Pod's port any more.
    assert.deepEqual([echoes(packets, 8), echoes(packets, 0)], [PINGS, 0]);
  });

  for (const mode of ["active-backup", "balance-slb"])
    it(`is copied once for each of its packets that come over a bond (${mode}), on whichever member`, async () => {
      await lab.addUplink(node, "eth2");
      await node.vsctl(
        ...["del-port", "br-int", "eth1", "--", "add-bond", "br-int", "bond0", "eth1", "eth2", `bond_mode=${mode}`],
      );
      const bond = await eventually("a member is active", async () => {
        const shown = await node.exec("ovs-appctl", "-t", "ovs-vswitchd", "bond/show", "bond0");
        return /active-backup|active member mac: (?!00:00)/.test(shown) && shown;
      });
      assert.match(bond, /eth2: enabled/);
      await eventually("the Pods talk", async () => (await a!.ping(lab.pod("c"), { count: 1 })).received === 1);
      const members = await Promise.all(
        ["eth1", "eth2"].map((device) => lab.capture(node, device, { filter: "icmp[icmptype] == icmp-echo" })),
      );
      const wire = await lab.capture(a!, "eth0", { filter: "icmp" });
      const packets = await copies(lab.pod("c"), a!);
      const [own, ...onMembers] = await Promise.all([wire, ...members].map((capture) => capture.stop()));
      assert.deepEqual(
        onMembers.map((all) => echoes(all)),
        [PINGS, PINGS],
        "the switch floods the requests to both members",
      );
      assert.equal(echoes(packets, 8), echoes(own!, 8), "requests that the Pod has got");
      assert.equal(echoes(packets, 0), echoes(own!, 0), "its answers");
      if (mode === "active-backup") assert.equal(echoes(own!, 8), PINGS);
    });
});
