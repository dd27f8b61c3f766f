/**
 * Where redirected packets could loop, bypass the device, be lost or reach somebody else: a restart, floods, STP, the node
 * itself, a device with a verdict. The programmer is the real one.
 */
import assert from "node:assert/strict";
import { eventually } from "../support/e2e/eventually";
import { Lab } from "../support/lab";
import type { LabNode, LabPod, LabProgrammer, Wire } from "../support/lab";
import { run } from "../support/lab/command";
import { ownFlows } from "../support/lab/contents";
import { REFUSED_PORT, startEngine } from "../support/lab/engine";
import { echoes, forget, handDevice, learned, learnedByBridge, seen, through } from "../support/lab/inline";
import type { Place } from "../support/lab/inline";
import { long } from "../support/slow";

const PINGS = 6;
const BROADCASTS = 3;
const PATIENCE = { seconds: 30 };

/** Daemons are restarted and STP takes its time: in the long suite only. */
long("a redirect", () => {
  let lab: Lab;
  let node: LabNode;
  let programmer: LabProgrammer;
  let [a, b, idle, c]: LabPod[] = [];
  let wire: Wire;
  before(async function () {
    this.timeout(60_000);
    lab = await Lab.up({ nodes: { n1: ["a", "b", "idle"], n2: ["c"] } });
    node = lab.node("n1");
    [a, b, idle, c] = ["a", "b", "idle", "c"].map((name) => lab.pod(name));
    wire = await lab.addWire(node, "w1");
    programmer = await lab.program(node);
  });
  after(() => lab.down());

  /** Pings between the Pod and each peer arrive once, and each packet has been in the device once. */
  async function isExact(): Promise<void> {
    for (const peer of [b!, c!]) {
      const places: Place[] = [
        [a!, "eth0"],
        [node, wire.target],
      ];
      const [own, inspected] = await seen(lab, places, () => a!.ping(peer, { count: PINGS }));
      assert.equal(echoes(own!).length, 2 * PINGS, `${peer.name}: each is answered, none twice`);
      assert.deepEqual(echoes(inspected!), echoes(own!), peer.name);
    }
  }

  /** How many of a Pod's IP broadcasts are at each place. */
  async function broadcasts(from: LabPod, places: Place[]): Promise<number[]> {
    const count = String(BROADCASTS);
    const broadcast = (): Promise<unknown> =>
      from.attempt("ping", "-b", "-q", "-c", count, "-i", "0.02", "-W", "0.3", "10.9.0.255");
    return (await seen(lab, places, broadcast, `icmp and src host ${from.address}`)).map(({ length }) => length);
  }

  it("is back after ovs-vswitchd has crashed, with a device that has kept running", async () => {
    await programmer.apply([through(wire, [a!])]);
    await isExact();
    const before = (await ownFlows(node)).filter((flow) => !flow.startsWith("247 "));
    await node.killVswitchd();
    await node.startVswitchd();
    await eventually("the flows are back", async () => (await ownFlows(node)).length >= before.length, PATIENCE);
    await eventually("a packet arrives", async () => (await a!.ping(c!, { count: 1 })).received === 1, PATIENCE);
    await isExact();
    const after = (await ownFlows(node)).filter((flow) => !flow.startsWith("247 "));
    assert.deepEqual(withoutPorts(after), withoutPorts(before));
    assert.deepEqual(await learned(node), [a!.mac, b!.mac, c!.mac], "and it learns again");
  });

  it("delivers what a device has kept over a restart, though nothing is learned yet", async () => {
    const hand = await handDevice(lab, node);
    await programmer.apply([through(hand, [a!])]);
    await node.killVswitchd();
    await node.startVswitchd();
    const flows = (): Promise<string[]> => ownFlows(node);
    await eventually(
      "the flows are back",
      async () => (await flows()).some((flow) => flow.startsWith("248 ")),
      PATIENCE,
    );
    await node.appctl.command("ovs-vswitchd", "revalidator/wait");
    await forget(node);
    const between = [a!, b!, c!].flatMap(({ mac: source }) =>
      [a!, b!, c!].map(({ mac: destination }) => ({ source, destination })),
    );
    const frames = between.filter(({ source, destination }) => source !== destination);
    const at = await seen(
      lab,
      [a!, b!, c!].map((pod) => [pod, "eth0"]),
      () => hand.giveBack(...frames),
      "ip src host 192.0.2.1",
    );
    const got = at.map((packets, index) =>
      packets
        .filter(({ inner }) => inner.destinationMAC === [a!, b!, c!][index]!.mac)
        .map(({ inner }) => inner.sourceMAC)
        .sort(),
    );
    // Between b and c the device speaks for itself: neither is redirected.
    assert.deepEqual(got, [[b!.mac, c!.mac], [a!.mac], [a!.mac]]);
    assert.equal((await learnedByBridge(node)).get(a!.mac), await node.ofport(a!.port), "as if it came from its port");
  });

  it("makes no loop out of a broadcast after a restart without the programmer", async () => {
    await programmer.apply([through(wire, [a!])]);
    await isExact();
    await programmer.stop("SIGKILL");
    await node.killVswitchd();
    await node.startVswitchd();
    await node.ofport(wire.back);
    assert.deepEqual(await ownFlows(node), []);
    const places: Place[] = [
      [b!, "eth0"],
      [c!, "eth0"],
      [node, wire.target],
      [node, wire.back],
    ];
    assert.deepEqual(await broadcasts(a!, places), [BROADCASTS, BROADCASTS, 0, 0]);
    assert.equal((await learnedByBridge(node)).get(a!.mac), await node.ofport(a!.port));
    programmer.start();
    await eventually("the flows are back", async () => (await ownFlows(node)).length > 0, PATIENCE);
    await eventually("it is exact again", async () => (await isExact(), true), PATIENCE);
  });

  it("is not looped by somebody's FLOOD flow, which ignores VLANs, even one that comes later", async () => {
    await programmer.apply([through(wire, [a!])]);
    await node.ofctl("add-flow", "br-int", "cookie=0x99,priority=50,dl_dst=ff:ff:ff:ff:ff:ff,actions=FLOOD");
    await node.appctl.command("ovs-vswitchd", "revalidator/wait");
    const places: Place[] = [
      [b!, "eth0"],
      [c!, "eth0"],
      [node, wire.target],
      [node, wire.back],
    ];
    // a's go through the device once; with b's it has nothing to do.
    assert.deepEqual(await broadcasts(a!, places), [BROADCASTS, BROADCASTS, BROADCASTS, BROADCASTS]);
    assert.deepEqual(
      await broadcasts(b!, [
        [a!, "eth0"],
        [c!, "eth0"],
        [node, wire.target],
        [node, wire.back],
      ]),
      [BROADCASTS, BROADCASTS, 0, 0],
    );
    await node.ofctl("del-flows", "br-int", "cookie=0x99/-1");
    await isExact();
  });

  it("teaches the bridge where both ends are, so that nothing of them is flooded to others", async () => {
    await programmer.apply([through(wire, [a!])]);
    // No ARP, which would teach it beside the redirect.
    await a!.exec("ip", "neigh", "replace", c!.address, "lladdr", c!.mac, "dev", "eth0", "nud", "permanent");
    await c!.exec("ip", "neigh", "replace", a!.address, "lladdr", a!.mac, "dev", "eth0", "nud", "permanent");
    await node.appctl.command("ovs-vswitchd", "fdb/flush", "br-int");
    // Nobody knows where they are: the first ones are flooded.
    const places: Place[] = [
      [idle!, "eth0"],
      [node, wire.target],
    ];
    const [flooded] = await seen(lab, places, () => a!.ping(c!, { count: 1 }), "icmp");
    assert.ok(flooded!.length > 0);
    await node.appctl.command("ovs-vswitchd", "revalidator/wait");
    const later = await seen(lab, places, () => a!.ping(c!, { count: PINGS }), "icmp");
    assert.deepEqual(
      later.map(({ length }) => length),
      [0, 2 * PINGS],
    );
    const table = await learnedByBridge(node);
    const ports = await Promise.all([a!.port, "eth1"].map((port) => node.ofport(port)));
    assert.deepEqual([table.get(a!.mac), table.get(c!.mac)], ports);
    for (const pod of [a!, c!]) await pod.exec("ip", "neigh", "flush", "dev", "eth0", "nud", "permanent");
  });

  it("takes what the node says to a Pod, and what a Pod says to the node and, through it, to the outside", async () => {
    await programmer.apply([through(wire, [a!])]);
    await node.exec("ip", "addr", "add", "10.9.0.251/24", "dev", "br-int");
    await node.exec("ip", "addr", "add", "fd09::fb/64", "dev", "br-int", "nodad");
    await node.exec("sysctl", "-qw", "net.ipv4.ip_forward=1");
    await a!.exec("ip", "route", "add", "default", "via", "10.9.0.251");
    await run("ip", ["-n", lab.collectorNamespace, "route", "add", "10.9.0.0/24", "via", node.address]);
    const ways: (() => Promise<unknown>)[] = [
      () => node.exec("ping", "-q", "-c", String(PINGS), "-i", "0.02", "-W", "2", a!.address),
      () => node.exec("ping", "-q", "-c", String(PINGS), "-i", "0.02", "-W", "2", a!.address6),
      () => a!.ping("10.9.0.251", { count: PINGS }),
      () => a!.ping(lab.collector.address, { count: PINGS }),
    ];
    for (const isKnown of [false, true]) {
      const places: Place[] = [
        [a!, "eth0"],
        [node, wire.target],
      ];
      const [own, inspected] = await seen(lab, places, async () => {
        for (const talk of ways) {
          if (!isKnown) await forget(node);
          await talk();
        }
      });
      assert.equal(echoes(own!).length, 2 * PINGS * ways.length);
      assert.deepEqual(echoes(inspected!), echoes(own!));
    }
    // As a kubelet's probe: a connection from the node.
    const server =
      "import socket; s = socket.create_server(('', 8080)); c, _ = s.accept(); c.sendall(b'200'); c.close()";
    const client = `import socket; print(socket.create_connection(('${a!.address}', 8080), 10).recv(9).decode())`;
    const answering = a!.exec("python3", "-c", server);
    const answer = await eventually("the Pod answers", () => node.exec("python3", "-c", client), PATIENCE);
    assert.equal(answer.trim(), "200");
    await answering;
  });

  it("is exact under a device with a verdict: what it drops does not arrive, everything else does", async () => {
    const engine = await startEngine(lab, node);
    await programmer.apply([through(engine, [a!])]);
    for (const [from, to] of [
      [a!, b!],
      [a!, c!],
      [c!, a!],
    ] as const)
      for (const address of [to.address, to.address6]) {
        const places: Place[] = [
          [from, "eth0"],
          [node, engine.target],
          [to, "eth0"],
        ];
        let heard = "";
        const before = await engine.dropped();
        const packets = await seen(
          lab,
          places,
          async () => (heard = await from.exec("python3", "-c", connections(address))),
          "tcp",
        );
        assert.equal(heard, "9 refused\n7 silent\n", "nobody listens, which a Pod says on port 9 only");
        const towards = (port: number): number[] =>
          packets.map((each) => each.filter(({ inner }) => inner.destinationPort === port).length);
        const [sent = 0, inspected, arrived] = towards(REFUSED_PORT);
        assert.ok(sent > 0);
        assert.deepEqual([inspected, arrived], [sent, 0], address);
        await eventually(`${engine.name} says so`, async () => (await engine.dropped()) === before + sent);
        assert.deepEqual(towards(9), [1, 1, 1], address);
      }
    await engine.stop();
  });

  // The last one: Open vSwitch 3.1 does not forward again on all ports after stp_enable=false.
  it("passes the device with STP on, which takes no part in it", async function () {
    this.timeout(90_000);
    await programmer.apply([through(wire, [a!])]);
    const stp = ["other_config:stp-forward-delay=4", "other_config:stp-hello-time=1", "other_config:stp-max-age=6"];
    const spoken = await seen(
      lab,
      [
        [node, wire.target],
        [node, wire.back],
      ],
      async () => {
        await node.vsctl("set", "bridge", "br-int", ...stp, "stp_enable=true");
        const isForwarding = async (): Promise<boolean> =>
          (await node.vsctl("get", "port", a!.port, "status")).includes("stp_state=forwarding");
        await eventually("the Pod's port forwards", isForwarding, PATIENCE);
      },
      "stp",
    );
    assert.deepEqual(spoken, [[], []], "no BPDU goes into the device");
    await eventually("Pods talk", async () => (await a!.ping(c!, { count: 1 })).received === 1, PATIENCE);
    await isExact();
    for (const port of [wire.target, wire.back]) assert.equal(await node.vsctl("get", "port", port, "status"), "{}");
  });
});

/** A program that tries to connect to ports 9 and 7, and says what has come of it. Port 7, the refused one, gets its first packet only. */
function connections(address: string): string {
  return `
import socket
for port, patience in ((9, 20), (7, 0.5)):
    try:
        socket.create_connection(("${address}", port), patience)
    except ConnectionRefusedError:
        print(port, "refused")
    except TimeoutError:
        print(port, "silent")
`;
}

/** Port numbers may be new ones after a restart. */
function withoutPorts(flows: readonly string[]): string[] {
  return flows.map((flow) => flow.replace(/(in_port=|output:|resubmit\(|set_field:)\d+/g, "$1N")).sort();
}
