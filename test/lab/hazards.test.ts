/** Where copies go wrong most easily: VLANs, a collector that is itself selected, changes under traffic. The programmer is the real one. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { DATAPATH, Lab } from "../support/lab";
import type { LabNode, LabPod, LabProgrammer, LabRule, Packet } from "../support/lab";

const PINGS = 6;

function echoes(packets: readonly Packet[]): string[] {
  return packets
    .filter(({ inner }) => [0, 8].includes(inner.icmpType ?? -1))
    .map(({ inner }) => `${inner.source} ${inner.destination} ${inner.icmpType} ${inner.sequence}`)
    .sort();
}

describe("taps in VLANs", () => {
  let lab: Lab;
  let node: LabNode;
  let programmer: LabProgrammer;
  let [a, b, c, twin]: LabPod[] = [];
  before(async () => {
    // a, b and c are in VLAN 100; the twin has a's MAC and address, in VLAN 200, and talks to d.
    lab = await Lab.up({ nodes: { n1: ["a", "b", "twin", "d"], n2: ["c"] } });
    node = lab.node("n1");
    [a, b, c, twin] = ["a", "b", "c", "twin"].map((name) => lab.pod(name));
    const tag = (pod: LabPod, vlan: number): Promise<string> => pod.node.vsctl("set", "port", pod.port, `tag=${vlan}`);
    await Promise.all([tag(a!, 100), tag(b!, 100), tag(c!, 100), tag(twin!, 200), tag(lab.pod("d"), 200)]);
    await twin!.exec("ip", "link", "set", "eth0", "down");
    await twin!.exec("ip", "link", "set", "eth0", "address", a!.mac);
    await twin!.exec("ip", "link", "set", "eth0", "up");
    programmer = await lab.program(node);
  });
  after(() => lab.down());

  async function copies(rules: LabRule[], action: () => Promise<unknown>): Promise<Packet[]> {
    await programmer.apply(rules);
    const capture = await lab.capture(node, "tap1");
    await action();
    return capture.stop(100);
  }
  const rule = (pod: LabPod): LabRule[] => [
    { name: "x", direction: "Both", targetPort: { ovsInternal: { name: "tap1" } }, pods: [pod] },
  ];

  it("copies what a Pod on an access port says to Pods of its VLAN, on its own and on another node", async () => {
    for (const peer of [b!, c!]) {
      const packets = await copies(rule(a!), () => a!.ping(peer, { count: PINGS }));
      assert.equal(echoes(packets).length, 2 * PINGS, peer.name);
      assert.equal(packets.length, 2 * PINGS);
    }
  });

  it("does not copy a frame of another VLAN to the same MAC address", async () => {
    let received = 0;
    const packets = await copies(rule(a!), async () => {
      ({ received } = await twin!.ping(lab.pod("d"), { count: PINGS }));
    });
    assert.ok(received > 0);
    assert.deepEqual(packets, []);
  });

  /** a and b change their VLAN, and the programmer has noticed. */
  async function moveTo(vlan: number): Promise<void> {
    await node.vsctl("set", "port", a!.port, `tag=${vlan}`, "--", "set", "port", b!.port, `tag=${vlan}`);
    const tag = `0x${vlan.toString(16)}->reg13`;
    const of = async ({ port }: LabPod): Promise<string> =>
      node.ofctl("dump-flows", "br-int", `table=241,in_port=${await node.ofport(port)}`);
    while (!(await Promise.all([of(a!), of(b!)])).every((flows) => flows.includes(tag))) await sleep(20);
    await node.appctl.command("ovs-vswitchd", "revalidator/wait");
  }

  it("follows a Pod into another VLAN", async () => {
    await programmer.apply(rule(a!));
    await moveTo(300);
    const packets = await copies(rule(a!), () => a!.ping(b!, { count: PINGS }));
    assert.equal(echoes(packets).length, 2 * PINGS);
    await moveTo(100);
  });

  it("copies what a Pod on a trunk port says in the VLANs that the port names", async () => {
    // A Pod that tags its frames by itself: here a bridge between its device and br-int does, which any kernel can.
    const { port } = b!;
    const ids = b!.attach().filter((word) => word.startsWith("external_ids:"));
    await node.vsctl(
      ...["del-port", "br-int", port, "--", "add-br", "br-vm", "--", "set", "bridge", "br-vm"],
      ...[`datapath_type=${DATAPATH}`],
      ...["--", "add-port", "br-vm", port, "tag=100"],
      ...["--", "add-port", "br-vm", "to-int", "--", "set", "interface", "to-int", "type=patch", "options:peer=to-vm"],
      ...["--", "add-port", "br-int", "to-vm", "--", "set", "interface", "to-vm", "type=patch", "options:peer=to-int"],
      ...["--", "set", "port", "to-vm", "trunks=100", ...ids],
    );
    const packets = await copies(rule(b!), () => b!.ping(c!, { count: PINGS }));
    assert.equal(echoes(packets).length, 2 * PINGS);
    assert.ok(packets.every(({ inner }) => inner.vlan === 100));
  });
});

describe("a collector that is a selected Pod", () => {
  let lab: Lab;
  before(async () => {
    lab = await Lab.up({ nodes: { n1: ["a", "b", "near"], n2: ["far"] } });
    // The node has an address in the Pods' network, so that its Open vSwitch can route to Pods.
    for (const [name, address] of [
      ["n1", "10.9.0.251"],
      ["n2", "10.9.0.252"],
    ] as const)
      await lab.node(name).exec("ip", "addr", "add", `${address}/24`, "dev", "br-int");
  });
  after(() => lab.down());

  for (const collector of ["near", "far"])
    it(`gets one copy of each packet, and none of the copies (${collector === "near" ? "same" : "another"} node)`, async () => {
      const pods = [lab.pod("a"), lab.pod("b"), lab.pod("near")];
      const rule = (mine: LabPod[]): LabRule => ({
        name: "x",
        direction: "Both",
        targetPort: { vxlan: { remoteIP: lab.pod(collector).address, destinationPort: 4789, vni: 3 } },
        pods: mine,
      });
      const programmers = await Promise.all(["n1", "n2"].map((name) => lab.program(lab.node(name))));
      const status = await programmers[0]!.apply([rule(pods)]);
      assert.equal(status.conditions?.[0]?.status, "True", status.conditions?.[0]?.message);
      await programmers[1]!.apply([rule([lab.pod("far")])]);
      const capture = await lab.capture(lab.pod(collector), "eth0", { filter: "udp port 4789" });
      await lab.pod("a").ping(lab.pod("b"), { count: PINGS });
      const packets = await capture.stop(200);
      assert.equal(echoes(packets).length, 2 * PINGS);
      // Its own traffic is copied, because it is selected: refusals, as nobody listens on its port, and late MLD reports.
      const others = packets.filter(({ inner }) => inner.icmpType !== 3 && inner.icmpType !== 143);
      assert.equal(others.length, 2 * PINGS, "a copy of a copy would be a frame more");
      for (const programmer of programmers) await programmer.apply([]);
      await Promise.all(programmers.map((programmer) => programmer.stop()));
    });
});

describe("changes under traffic", () => {
  let lab: Lab;
  before(async () => {
    lab = await Lab.up({ nodes: { n1: ["a", "b", "other"] } });
  });
  after(() => lab.down());

  it("loses no packet and copies each exactly once while rules come and go around it", async () => {
    const node = lab.node("n1");
    const [a, b, other] = [lab.pod("a"), lab.pod("b"), lab.pod("other")];
    const programmer = await lab.program(node);
    const keep: LabRule = { name: "keep", direction: "Both", targetPort: { ovsInternal: { name: "tap1" } }, pods: [a] };
    const extra = (i: number): LabRule[] => [
      {
        name: `e${i}`,
        direction: "Both",
        targetPort: { ovsInternal: { name: "tap1" } },
        pods: i % 2 ? [a, other] : [b],
      },
      { name: `f${i}`, direction: "Ingress", targetPort: { ovsInternal: { name: "tap2" } }, pods: [other] },
    ];
    await programmer.apply([keep]);
    await a.ping(b);
    const wire = await lab.capture(a, "eth0", { filter: "icmp" });
    const copied = await lab.capture(node, "tap1", { filter: "icmp" });
    const pinging = a.ping(b, { count: 200 });
    for (let i = 0; i < 12; i++) {
      const rules = i % 3 === 2 ? [keep] : i % 3 === 1 ? [...extra(i), keep] : [keep, ...extra(i)];
      await programmer.apply(rules);
    }
    await pinging;
    await programmer.apply([keep]);
    const [onWire, copies] = await Promise.all([wire.stop(), copied.stop()]);
    assert.equal(echoes(onWire).length, 400);
    assert.deepEqual(echoes(copies), echoes(onWire));
  });
});
