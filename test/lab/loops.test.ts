/** Loops between targets, and what a bridge learns from them, with rules in force and in the moment without any. The programmer is the real one. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "../support/e2e/eventually";
import { Lab } from "../support/lab";
import type { LabNode, LabPod, LabProgrammer, Packet } from "../support/lab";
import { ownFlows } from "../support/lab/contents";

const BROADCASTS = 3;

describe("two targets that somebody has wired together", () => {
  let lab: Lab;
  let node: LabNode;
  let programmer: LabProgrammer;
  let [a, b, c]: LabPod[] = [];
  before(async () => {
    lab = await Lab.up({ nodes: { n1: ["a", "b"], n2: ["c"] } });
    node = lab.node("n1");
    [a, b, c] = ["a", "b", "c"].map((name) => lab.pod(name));
    // What leaves by one of the targets comes back by the other: an inspection device that forwards everything.
    const ends = await Promise.all(["loop1", "loop2"].map((name) => lab.addDevice(node, name)));
    await node.exec("ip", "link", "add", "wire", "type", "bridge", "mcast_snooping", "0");
    for (const end of ends) await node.exec("ip", "link", "set", end, "master", "wire");
    await node.exec("ip", "link", "set", "wire", "up");
    programmer = await lab.program(node);
    await programmer.apply(
      ["loop1", "loop2"].map((name) => ({
        name,
        direction: "Both",
        targetPort: { device: { name } },
        pods: [a!],
      })),
    );
    for (const peer of [b!, c!]) await a!.ping(peer);
  });
  after(() => lab.down());

  /** How many of the Pod's broadcasts are on each of these devices. */
  async function broadcasts(from: LabPod, where: [LabNode | LabPod, string][]): Promise<number[]> {
    const filter = `icmp and src host ${from.address}`;
    const captures = await Promise.all(where.map(([place, device]) => lab.capture(place, device, { filter })));
    await from.attempt("ping", "-b", "-q", "-c", String(BROADCASTS), "-i", "0.02", "-W", "0.2", "10.9.0.255");
    await captures[0]!.reach(BROADCASTS, 2000);
    return Promise.all(captures.map(async (capture) => (await capture.stop(300)).length));
  }

  /** MAC address → port number, as the bridge has learned. */
  async function learned(): Promise<Map<string, number>> {
    const table = await node.appctl.command("ovs-vswitchd", "fdb/show", "br-int");
    assert.ok(table.ok);
    const rows = table.value.split("\n").map((line) => /^\s*(\S+)\s+\d+\s+([0-9a-f:]{17})\s/.exec(line));
    return new Map(rows.flatMap((row) => (row ? [[row[2]!, Number(row[1])] as const] : [])));
  }

  it("make no frame out of a broadcast beside the copies", async () => {
    const on: [LabNode | LabPod, string][] = [
      [b!, "eth0"],
      [c!, "eth0"],
      [a!, "eth0"],
    ];
    assert.deepEqual(await broadcasts(a!, on), [BROADCASTS, BROADCASTS, BROADCASTS]);
    // One copy for each target, and the wire brings each to the other one, where it ends.
    assert.deepEqual(await broadcasts(a!, [[node, "loop1"]]), [2 * BROADCASTS]);
    assert.deepEqual(
      await broadcasts(b!, [
        [c!, "eth0"],
        [node, "loop1"],
        [node, "loop2"],
      ]),
      [BROADCASTS, 0, 0],
    );
  });

  it("teach the bridge nothing, so that a Pod's frames go on going to the Pod", async () => {
    const before = await learned();
    const expected = [await node.ofport(a!.port), await node.ofport(b!.port)];
    assert.deepEqual([before.get(a!.mac), before.get(b!.mac)], expected);
    const wire = await lab.capture(a!, "eth0", { filter: "icmp" });
    for (const peer of [b!, c!]) assert.equal((await a!.ping(peer, { count: 10 })).received, 10);
    assert.equal(echoes(await wire.stop()), 40);
    const after = await learned();
    assert.deepEqual([after.get(a!.mac), after.get(b!.mac)], expected);
  });

  it("get nothing and bring nothing while there is no rule at all, after a restart without the programmer", async () => {
    const before = await ownFlows(node);
    await programmer.stop("SIGKILL");
    await node.killVswitchd();
    await node.startVswitchd();
    await node.ofport("loop1");
    assert.deepEqual(await ownFlows(node), []);
    assert.deepEqual(
      await broadcasts(a!, [
        [b!, "eth0"],
        [c!, "eth0"],
        [node, "loop1"],
        [node, "loop2"],
      ]),
      [BROADCASTS, BROADCASTS, 0, 0],
    );
    // A frame with the Pod's own address, from the wire: it must neither arrive nor be learned.
    await node.exec("ip", "link", "add", "fake", "type", "veth", "peer", "name", "fake-p");
    await node.exec("ip", "link", "set", "fake-p", "master", "wire", "up");
    await node.exec("ip", "link", "set", "fake", "address", a!.mac, "up");
    await node.exec("ip", "addr", "add", "10.9.0.98/24", "dev", "fake");
    const arrived = await Promise.all([b!, c!].map((pod) => lab.capture(pod, "eth0", { filter: "host 10.9.0.98" })));
    await node.attempt("ping", "-b", "-q", "-c", "3", "-i", "0.02", "-W", "0.2", "-I", "fake", "10.9.0.255");
    assert.deepEqual(await Promise.all(arrived.map(async (capture) => (await capture.stop()).length)), [0, 0]);
    assert.equal((await learned()).get(a!.mac), await node.ofport(a!.port));
    await node.exec("ip", "link", "del", "fake");

    programmer.start();
    await eventually("the flows are back", async () => (await ownFlows(node)).length === before.length);
    await sleep(100);
    assert.deepEqual(await broadcasts(a!, [[node, "loop1"]]), [2 * BROADCASTS]);
  });
});

function echoes(packets: readonly Packet[]): number {
  return packets.filter(({ inner }) => [0, 8].includes(inner.icmpType ?? -1)).length;
}
