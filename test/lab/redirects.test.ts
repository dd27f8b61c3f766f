/**
 * Redirects beside mirrors and each other, while they change, and when their device is lost. The device is a wire; the
 * programmer is the real one.
 */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "../support/e2e/eventually";
import { DATAPATH, Lab } from "../support/lab";
import type { LabNode, LabPod, LabProgrammer, LabRule, Packet, Wire } from "../support/lab";
import { sendFrames } from "../support/lab/frames";

const PINGS = 6;
/** For answers that are not expected. */
const SILENT = { linger: 500 };

function echoes(packets: readonly Packet[]): string[] {
  return packets
    .filter(({ inner }) => [0, 8, 128, 129].includes(inner.icmpType ?? -1))
    .map(({ inner }) => `${inner.source} ${inner.icmpType} ${inner.sequence}`)
    .sort();
}

describe("redirects on one node", () => {
  let lab: Lab;
  let node: LabNode;
  let programmer: LabProgrammer;
  let [a, b, c]: LabPod[] = [];
  let [one, two]: Wire[] = [];
  let untouched: unknown;

  before(async function () {
    this.timeout(60_000);
    lab = await Lab.up({ nodes: { n1: ["a", "b"], n2: ["c"] } });
    node = lab.node("n1");
    [a, b, c] = [lab.pod("a"), lab.pod("b"), lab.pod("c")];
    // Each packet stays in them for 20 ms, so that there are always some inside when something changes.
    one = await lab.addWire(node, "w1", { delay: 20 });
    two = await lab.addWire(node, "w2", { delay: 20 });
    untouched = await state();
    programmer = await lab.program(node);
    for (const peer of [b, c]) await a.ping(peer);
  });
  after(() => lab.down());

  async function state(): Promise<unknown> {
    return {
      flows: (await node.ofctl("--no-stats", "dump-flows", "br-int")).split("\n").sort(),
      ports: (await node.vsctl("--format=csv", "list", "port"))
        .split("\n")
        .map((row) => row.replace(/[0-9a-f-]{36}/g, ""))
        .sort(),
    };
  }

  function through(wire: Wire, pods: LabPod[], more: Partial<LabRule> = {}): LabRule {
    const [targetPort, returnPort] = [{ device: { name: wire.target } }, { device: { name: wire.back } }];
    return { name: `via-${wire.target}`, direction: "Both", targetPort, returnPort, pods, ...more };
  }
  const copy = (pods: LabPod[]): LabRule => ({
    name: "copy",
    direction: "Both",
    targetPort: { ovsInternal: { name: "tap1" } },
    pods,
  });

  /** What goes into each device, or target, while Pods ping each other. */
  async function inspected(devices: [LabNode | LabPod, string][], action: () => Promise<unknown>): Promise<string[][]> {
    const captures = await Promise.all(devices.map(([where, device]) => lab.capture(where, device)));
    await action();
    return (await Promise.all(captures.map((capture) => capture.stop(200)))).map(echoes);
  }

  it("copies a packet once, before it leaves for the device, and not again when it comes back", async () => {
    await programmer.apply([copy([a!]), through(one!, [a!])]);
    for (const peer of [b!, c!]) {
      const [wire, tap, device] = await inspected(
        [
          [a!, "eth0"],
          [node, "tap1"],
          [node, one!.target],
        ],
        () => a!.ping(peer, { count: PINGS }),
      );
      assert.equal(wire!.length, 2 * PINGS);
      assert.deepEqual(tap, wire);
      assert.deepEqual(device, wire);
    }
  });

  it("lets the sender's redirect act before the receiver's, each packet once", async () => {
    await programmer.apply([through(one!, [a!]), through(two!, [b!])]);
    const [first, second] = await inspected(
      [
        [node, one!.target],
        [node, two!.target],
      ],
      () => a!.ping(b!, { count: PINGS }),
    );
    assert.deepEqual([first!.length, second!.length], [PINGS, PINGS]);
    assert.ok(first!.every((echo) => echo.startsWith(`${a!.address} 8`)));
    assert.ok(second!.every((echo) => echo.startsWith(`${b!.address} 0`)));
  });

  it("lets the oldest of two redirects on one Pod act, and the other in the direction that is left", async () => {
    await programmer.apply([through(one!, [a!], { direction: "Egress" }), through(two!, [a!])]);
    const [first, second] = await inspected(
      [
        [node, one!.target],
        [node, two!.target],
      ],
      () => a!.ping(b!, { count: PINGS }),
    );
    assert.ok(first!.length === PINGS && first!.every((echo) => echo.includes(" 8 ")));
    assert.ok(second!.length === PINGS && second!.every((echo) => echo.includes(" 0 ")));
  });

  it("takes broadcasts of the Pod and fragments along, and delivers them once", async () => {
    await programmer.apply([through(one!, [a!])]);
    const [at, device] = await inspected(
      [
        [c!, "eth0"],
        [node, one!.target],
      ],
      () => a!.attempt("ping", "-b", "-q", "-c", "3", "-i", "0.02", "-W", "0.3", "10.9.0.255"),
    );
    assert.equal(at!.length, 3);
    assert.equal(device!.length, 3);
    const { stdout } = await a!.attempt("ping", "-q", "-c", "4", "-i", "0.05", "-W", "2", "-s", "4000", c!.address);
    assert.match(stdout, /4 received/);
  });

  it("drops what the device says by itself, and what comes in through the target", async () => {
    await programmer.apply([through(one!, [a!])]);
    const capture = await Promise.all(
      [b!, c!].map((pod) => lab.capture(pod, "eth0", { filter: "ether src 02:00:00:00:00:99" })),
    );
    const noise = [a!.mac, b!.mac, "ff:ff:ff:ff:ff:ff"].flatMap((destination) => [
      { source: "02:00:00:00:00:99", destination },
      { source: "02:00:00:00:00:99", destination, etherType: 0x88b5 },
    ]);
    for (const end of [one!.target, one!.back]) await sendFrames(node, end, noise);
    const seen = await Promise.all(capture.map((each) => each.stop(200)));
    assert.deepEqual(
      seen.map((packets) => packets.length),
      [0, 0],
    );
  });

  it("changes nothing in an audit while packets are learned from", async () => {
    await programmer.apply([through(one!, [a!])]);
    await a!.ping(c!);
    await sleep(2_500);
    const monitor = node.openflow.monitor("br-int");
    const events: { cookie: bigint }[] = [];
    monitor.on("flow", (event) => events.push(event));
    await new Promise<void>((resolve) => monitor.once("up", resolve));
    await node.ofctl("add-flow", "br-int", "cookie=0x5443000000000002,table=246,priority=7,actions=drop");
    const present = async (): Promise<boolean> =>
      (await node.ofctl("dump-flows", "br-int", "table=246")).includes("priority=7");
    while (await present()) await sleep(20);
    monitor.close();
    const touched = events.filter(({ cookie }) => ![2n, 1n].includes(cookie & 0xffffn));
    assert.deepEqual(touched, [], "the foreign flow went, and nothing of ours was written again");
  });

  it("loses no packet while target, return port, direction and selection change, with packets inside the device", async function () {
    this.timeout(180_000);
    await programmer.apply([through(one!, [a!], { name: "x" })]);
    const wire = await lab.capture(a!, "eth0", { filter: "icmp" });
    const stream = { running: true };
    const pinging = a!.ping(c!, { count: 2000, pause: 2 }).finally(() => (stream.running = false));
    let changes = 0;
    for (let i = 0; stream.running; i++) {
      const variants: LabRule[][] = [
        [through(two!, [a!], { name: "x" })],
        [through(two!, [a!, b!], { name: "x", direction: "Egress" })],
        [through(one!, [a!], { name: "x" }), copy([a!])],
        [through(one!, [a!], { name: "x", direction: "Ingress" })],
        [through(one!, [b!], { name: "x" })],
        [through(one!, [a!], { name: "x" })],
      ];
      await programmer.apply(variants[i % variants.length]!);
      changes++;
    }
    await pinging;
    const packets = echoes(await wire.stop(300));
    const of = (type: number): Set<string> =>
      new Set(packets.filter((echo) => echo.includes(` ${type} `)).map((echo) => echo.split(" ")[2]!));
    const [requests, replies] = [of(8), of(0)];
    assert.equal(requests.size, 2000);
    assert.deepEqual(
      [...requests].filter((sequence) => !replies.has(sequence)),
      [],
      `${changes} changes`,
    );
    assert.equal(packets.length, 4000, "none twice");
    assert.ok(changes >= 3, `${changes} changes`);
  });

  it("of everything into a dead device never stops its own removal, and leaves the bridge as it was", async () => {
    await lab.addDevice(node, "dead-t");
    await lab.addDevice(node, "dead-r");
    await programmer.apply([through({ target: "dead-t", back: "dead-r" }, [a!, b!])]);
    assert.equal((await a!.ping(b!, SILENT)).received, 0);
    assert.equal((await a!.ping(c!, SILENT)).received, 0);
    await programmer.apply([]);
    assert.deepEqual(await state(), untouched);
    assert.equal((await a!.ping(b!)).received, 5);
    assert.equal((await a!.ping(c!)).received, 5);
  });

  it("lets nothing past a device that is lost, and heals when it is back", async () => {
    await lab.addWire(node, "w3");
    await programmer.apply([through({ target: "w3-t", back: "w3-r" }, [a!])]);
    assert.equal((await a!.ping(b!)).received, 5);
    await node.exec("ip", "link", "del", "w3-r");
    const status = await programmer.status(({ conditions }) => conditions?.[0]?.status === "False");
    assert.match(status.conditions?.[0]?.message ?? "", /w3-r.* the packets of its Pods are dropped/);
    assert.equal((await a!.ping(b!, SILENT)).received, 0);
    await programmer.apply([]);
    assert.equal((await a!.ping(b!)).received, 5);
  });

  it("counts each packet that it takes away", async () => {
    await programmer.apply([through(one!, [a!], { name: "x" })]);
    await a!.ping(b!, { count: PINGS });
    const counted = async (): Promise<number> => {
      const flows = await node.openflow.dumpFlows("br-int", { table: 246 });
      return flows.ok
        ? flows.value.filter(({ cookie }) => (cookie & 0xffffn) === 10n).reduce((sum, { packets }) => sum + packets, 0)
        : 0;
    };
    await eventually("they are counted", async () => (await counted()) >= 2 * PINGS);
    await programmer.apply([]);
    assert.deepEqual(await state(), untouched);
  });
});

describe("a redirect of Pods on another bridge", () => {
  let lab: Lab;
  before(async () => {
    lab = await Lab.up({ nodes: { n1: ["a", "b"], n2: ["c"] } });
  });
  after(() => lab.down());

  it("goes to the device and back through the patch pair, in VLANs too", async () => {
    const node = lab.node("n1");
    const [a, b, c] = [lab.pod("a"), lab.pod("b"), lab.pod("c")];
    // a moves to a bridge of its own, whose way to the others is VLAN 100 of br-int.
    await node.vsctl("del-port", "br-int", a.port);
    await node.vsctl(
      ...["add-br", "br-a", "--", "set", "bridge", "br-a", `datapath_type=${DATAPATH}`],
      ...["--", "add-port", "br-a", "to-int", "--", "set", "interface", "to-int", "type=patch", "options:peer=to-a"],
      ...["--", "add-port", "br-int", "to-a", "--", "set", "interface", "to-a", "type=patch", "options:peer=to-int"],
      ...[
        "--",
        ...a.attach().map((word) => (word === "br-int" ? "br-a" : word)),
        "--",
        "set",
        "port",
        a.port,
        "tag=100",
      ],
      ...["--", "set", "port", b.port, "tag=100"],
    );
    await c.node.vsctl("set", "port", c.port, "tag=100");
    const wire = await lab.addWire(node, "w1");
    // Attached to br-int by the administrator, who lets it be used, and knows that a wire between two ports is a loop.
    for (const name of [wire.target, wire.back])
      await node.vsctl(
        ...["add-port", "br-int", name, "vlan_mode=trunk", "trunks=4095", "--", "set", "port", name],
        "external_ids:ovs-traffic-control.dev/adopt=true",
      );
    for (const peer of [b, c]) assert.equal((await a.ping(peer)).received, 5, "before the redirect");
    const programmer = await lab.program(node);
    const [targetPort, returnPort] = [{ device: { name: wire.target } }, { device: { name: wire.back } }];
    const status = await programmer.apply([{ name: "x", direction: "Both", targetPort, returnPort, pods: [a] }]);
    assert.equal(status.conditions?.[0]?.status, "True", status.conditions?.[0]?.message);
    for (const peer of [b, c]) {
      await a.exec("ip", "neigh", "flush", "dev", "eth0");
      const captures = await Promise.all([lab.capture(a, "eth0"), lab.capture(node, wire.target)]);
      await a.ping(peer, { count: PINGS });
      const [pod, device] = (await Promise.all(captures.map((capture) => capture.stop(200)))).map(echoes);
      assert.equal(pod!.length, 2 * PINGS, `${peer.name}: all answered`);
      assert.deepEqual(device, pod);
    }
    await programmer.apply([]);
    for (const peer of [b, c]) assert.equal((await a.ping(peer)).received, 5, "after the redirect");
  });
});
