/** Several TrafficControls at once, and what must never happen beside the copies. The programmer is the real one. */
import assert from "node:assert/strict";
import type { PlanStatus } from "@ovs-traffic-control/api";
import { setTimeout as sleep } from "node:timers/promises";
import type { Capture } from "../support/capture";
import { Lab } from "../support/lab";
import type { LabNode, LabPod, LabProgrammer, LabRule, Packet } from "../support/lab";

const PINGS = 6;
/** Milliseconds for a copy to arrive that should not. */
const SETTLE = 40;
const tap = (name: string): LabRule["targetPort"] => ({ ovsInternal: { name } });

/** Echo requests and replies among the packets. */
function echoes(packets: readonly Packet[]): number {
  return packets.filter(({ inner }) => [0, 8, 128, 129].includes(inner.icmpType ?? -1)).length;
}

/** `TYPE SEQUENCE` of each echo, sorted. */
function echoNames(packets: readonly Packet[]): string[] {
  return packets
    .flatMap(({ inner: { icmpType: type = -1, sequence = 0 } }) =>
      [0, 8, 128, 129].includes(type) ? `${type} ${sequence}` : [],
    )
    .sort();
}

/** What a Pod's own wire has to show of one ping that is answered. */
const ALL_ECHOES = { 4: sent(0, 8), 6: sent(128, 129) };
function sent(...types: number[]): string[] {
  return types.flatMap((type) => Array.from({ length: PINGS }, (_, i) => `${type} ${i + 1}`)).sort();
}

describe("taps on one node", () => {
  let lab: Lab;
  let node: LabNode;
  let programmer: LabProgrammer;
  let [a, b, c]: LabPod[] = [];
  before(async () => {
    lab = await Lab.up({ nodes: { n1: ["a", "b", "idle"], n2: ["c"] } });
    node = lab.node("n1");
    [a, b, c] = [lab.pod("a"), lab.pod("b"), lab.pod("c")];
    programmer = await lab.program(node);
    for (const peer of [b, c]) for (const v6 of [false, true]) await a.ping(peer, { v6 });
  });
  after(() => lab.down());

  /** Captures on devices of the node while something happens; the packets of each. */
  async function during(devices: readonly string[], action: () => Promise<unknown>): Promise<Packet[][]> {
    const captures = await Promise.all(devices.map((device) => lab.capture(node, device)));
    await action();
    return Promise.all(captures.map((capture) => capture.stop(100)));
  }

  interface Case {
    name: string;
    rules: () => LabRule[];
    from?: () => LabPod;
    to: () => LabPod;
    /** Copies of PINGS echoes and their replies at tap1 and tap2. */
    copies: [number, number];
  }
  const cases: Case[] = [
    {
      name: "two TrafficControls with a target each: one copy at each",
      rules: () => [rule("x", "Both", "tap1", [a!]), rule("y", "Both", "tap2", [a!])],
      to: () => c!,
      copies: [2 * PINGS, 2 * PINGS],
    },
    {
      name: "two TrafficControls with the same target: one copy",
      rules: () => [rule("x", "Both", "tap1", [a!]), rule("y", "Both", "tap1", [a!]), rule("z", "Both", "tap2", [])],
      to: () => c!,
      copies: [2 * PINGS, 0],
    },
    {
      name: "different directions to different targets",
      rules: () => [rule("x", "Egress", "tap1", [a!]), rule("y", "Ingress", "tap2", [a!])],
      to: () => c!,
      copies: [PINGS, PINGS],
    },
    {
      name: "Egress and Ingress of one Pod to the same target: each packet once",
      rules: () => [rule("x", "Egress", "tap1", [a!]), rule("y", "Ingress", "tap1", [a!])],
      to: () => b!,
      copies: [2 * PINGS, 0],
    },
    {
      name: "both ends selected by one TrafficControl: each packet once",
      rules: () => [rule("x", "Both", "tap1", [a!, b!])],
      to: () => b!,
      copies: [2 * PINGS, 0],
    },
    {
      name: "both ends selected by two TrafficControls with the same target: each packet once",
      rules: () => [rule("x", "Both", "tap1", [a!]), rule("y", "Both", "tap1", [b!])],
      to: () => b!,
      copies: [2 * PINGS, 0],
    },
    {
      name: "both ends selected by two TrafficControls with different targets: one copy at each",
      rules: () => [rule("x", "Both", "tap1", [a!]), rule("y", "Both", "tap2", [b!])],
      to: () => b!,
      copies: [2 * PINGS, 2 * PINGS],
    },
    {
      name: "a third Pod's traffic: no copy",
      rules: () => [rule("x", "Both", "tap1", [a!]), rule("y", "Both", "tap2", [a!])],
      from: () => b!,
      to: () => c!,
      copies: [0, 0],
    },
  ];

  function rule(name: string, direction: LabRule["direction"], target: string, pods: LabPod[]): LabRule {
    return { name, direction, targetPort: tap(target), pods };
  }

  /** Keeps both targets in existence whatever the other rules say; its Pod is silent. */
  const idle = (): LabRule[] =>
    ["tap1", "tap2"].map((target) => rule(`idle-${target}`, "Both", target, [lab.pod("idle")]));

  describe("copies each packet once for each target that wants it", () => {
    /** For each case and family: what tap1 and tap2 got, and what was on the sender's own wire. */
    const seen = new Map<string, Packet[][]>();
    before(async function () {
      this.timeout(600_000);
      await programmer.apply(idle());
      const taps = await Promise.all(["tap1", "tap2"].map((device) => lab.capture(node, device)));
      const wires = await Promise.all([a!, b!].map((pod) => lab.capture(pod, "eth0", { filter: "icmp or icmp6" })));
      const times: [string, number, number][] = [];
      for (const { name, rules, from, to, copies } of cases) {
        await programmer.apply([...rules(), ...idle()]);
        for (const v6 of [false, true]) {
          const already = taps.map((capture) => capture.count);
          const start = Date.now() / 1000;
          await (from ?? (() => a!))().ping(to(), { v6, count: PINGS });
          await Promise.all(taps.map((capture, tap) => capture.reach(already[tap]! + copies[tap]!)));
          await sleep(SETTLE);
          times.push([`${name} ${v6}`, start, Date.now() / 1000]);
        }
      }
      const packets = await Promise.all([...taps, ...wires].map((capture) => capture.stop()));
      for (const [key, from, to] of times)
        seen.set(
          key,
          packets.map((all) => all.filter(({ time }) => time > from && time <= to)),
        );
    });

    for (const { name, from, copies } of cases)
      for (const v6 of [false, true])
        it(`${name} (IPv${v6 ? 6 : 4})`, () => {
          const [tap1, tap2, ofA, ofB] = seen.get(`${name} ${v6}`)!;
          const packets = [tap1!, tap2!];
          assert.deepEqual(echoNames(from?.() === b ? ofB! : ofA!), ALL_ECHOES[v6 ? 6 : 4], "the sender's own traffic");
          assert.deepEqual(packets.map(echoes), copies);
          // ARP, neighbour discovery and multicast of the Pods are around; none of it is for a tap.
          assert.deepEqual(
            packets.map((all) => all.length),
            copies,
          );
        });
  });

  it("copies a broadcast of a selected Pod once, and makes no extra frame of it anywhere", async () => {
    await programmer.apply([rule("x", "Both", "tap1", [a!]), rule("y", "Both", "tap2", [a!])]);
    const onPods = await Promise.all([b!, c!].map((pod) => lab.capture(pod, "eth0", { filter: "icmp" })));
    const copies = await during(["tap1", "tap2"], () =>
      a!.attempt("ping", "-b", "-q", "-c", "3", "-i", "0.02", "-W", "0.2", "10.9.0.255"),
    );
    assert.deepEqual(copies.map(echoes), [3, 3]);
    assert.deepEqual((await Promise.all(onPods.map((capture) => capture.stop()))).map(echoes), [3, 3]);
  });

  it("copies a broadcast of another Pod to nobody", async () => {
    const wire = await lab.capture(c!, "eth0", { filter: "icmp" });
    const copies = await during(["tap1", "tap2"], () =>
      b!.attempt("ping", "-b", "-q", "-c", "3", "-i", "0.02", "-W", "0.2", "10.9.0.255"),
    );
    assert.equal(echoes(await wire.stop()), 3);
    assert.deepEqual(
      copies.map((all) => all.length),
      [0, 0],
    );
  });

  it("lets nothing into the bridge that a target sends, and floods nothing into a target", async () => {
    await lab.addDevice(node, "tap-dev");
    await programmer.apply([
      { name: "x", direction: "Both", targetPort: { device: { name: "tap-dev" } }, pods: [a!] },
      rule("y", "Both", "tap1", [a!]),
    ]);
    await node.exec("ip", "addr", "add", "10.9.0.99/24", "dev", "tap-dev-p");
    const watched: [LabPod | LabNode, string][] = [
      [a!, "eth0"],
      [b!, "eth0"],
      [c!, "eth0"],
      [node, "tap1"],
      [node, "tap-dev"],
    ];
    const captures: Capture[] = [];
    for (const [where, device] of watched)
      captures.push(await lab.capture(where, device, { filter: "host 10.9.0.99" }));
    await node.attempt("ping", "-b", "-q", "-c", "3", "-i", "0.02", "-W", "0.2", "-I", "tap-dev-p", "10.9.0.255");
    await node.attempt("ping", "-q", "-c", "2", "-i", "0.02", "-W", "0.2", "-I", "tap-dev-p", a!.address);
    const seen = await Promise.all(captures.map((capture) => capture.stop()));
    assert.deepEqual(
      seen.slice(0, 4).map((packets) => packets.length),
      [0, 0, 0, 0],
    );
    assert.ok(seen[4]!.length >= 3 + 1, "three broadcasts and an ARP request have been on the target's device");
    await node.exec("ip", "addr", "del", "10.9.0.99/24", "dev", "tap-dev-p");
  });

  it("lets the traffic of a tapped Pod pass while a target's link is down", async () => {
    await programmer.apply([rule("x", "Both", "tap1", [a!])]);
    await node.exec("ip", "link", "set", "tap1", "down");
    const capture = await lab.capture(a!, "eth0", { filter: "icmp" });
    await a!.ping(c!, { count: PINGS });
    assert.equal(echoes(await capture.stop()), 2 * PINGS);
  });

  it("changes a target without losing or doubling a copy", async () => {
    await programmer.apply([rule("x", "Egress", "tap1", [a!]), ...idle()]);
    const wire = await lab.capture(a!, "eth0", { filter: "icmp[icmptype] == icmp-echo" });
    const copies = await during(["tap1", "tap2"], async () => {
      const pinging = a!.attempt("ping", "-q", "-c", "200", "-i", "0.005", "-W", "0.5", c!.address);
      for (let i = 0; i < 6; i++) {
        await sleep(100);
        await programmer.apply([rule("x", "Egress", i % 2 ? "tap1" : "tap2", [a!]), ...idle()]);
      }
      await pinging;
    });
    const sequences = (packets: Packet[]): number[] =>
      packets.map(({ inner }) => inner.sequence!).sort((x, y) => x - y);
    assert.deepEqual(sequences(copies.flat()), sequences(await wire.stop()));
    assert.ok(copies.every((packets) => packets.length > 0));
  });

  it("copies what two selected Pods on two nodes say once on each of the nodes", async () => {
    const other = lab.node("n2");
    const second = await lab.program(other);
    await programmer.apply([rule("x", "Both", "tap1", [a!])]);
    await second.apply([rule("x", "Both", "tap1", [c!])]);
    const captures = await Promise.all([node, other].map((each) => lab.capture(each, "tap1")));
    await a!.ping(c!, { count: PINGS });
    const copies = await Promise.all(captures.map((capture) => capture.stop(100)));
    assert.deepEqual(copies.map(echoes), [2 * PINGS, 2 * PINGS]);
    await second.stop();
  });

  it("says how long a packet may be that a tunnel has room for, to the byte", async () => {
    const targetPort = { vxlan: { remoteIP: lab.collector.address, destinationPort: 4789, vni: 5 } };
    await programmer.apply([{ name: "x", direction: "Egress", targetPort, pods: [a!] }]);
    const says = (): Promise<PlanStatus> =>
      programmer.status(({ ports = [] }) => ports.some(({ message }) => /longer than \d+ bytes/.test(message ?? "")));
    const { ports: [port] = [], conditions: [ready] = [] } = await says();
    assert.equal(ready?.status, "True", "the Pods' own packets are not concerned");
    const room = Number(
      /longer than (\d+) bytes are lost on the way to 172\.31\.0\.200/.exec(port?.message ?? "")?.[1],
    );
    // An IP header of 20 bytes and an ICMP header of 8 are part of the packet.
    for (const [size, copies] of [
      [room - 28, 3],
      [room - 27, 0],
    ] as const) {
      const capture = await lab.captureTunnels();
      await a!.exec("ping", "-q", "-M", "do", "-c", "3", "-i", "0.01", "-s", String(size), c!.address);
      assert.equal(echoes(await capture.stop(100)), copies, `${size} bytes`);
    }
  });
});
