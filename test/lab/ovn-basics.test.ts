/** Mirror and Redirect on a real OVN, as far as one rule and a few packets show it. */
import assert from "node:assert/strict";
import { eventually } from "../support/e2e/eventually";
import { Lab } from "../support/lab";
import type { LabNode, LabPod, LabProgrammer, LabRule } from "../support/lab";
import { database, foreignFlows, ownFlows } from "../support/lab/contents";
import { echoes, seen, through } from "../support/lab/inline";

describe("on real OVN", function () {
  let lab: Lab | undefined;
  let node: LabNode;
  let programmer: LabProgrammer;
  let a: LabPod, b: LabPod, c: LabPod, d: LabPod;
  const tap = (pods: LabPod[], more: Partial<LabRule> = {}): LabRule => ({
    name: "tap",
    direction: "Both",
    targetPort: { ovsInternal: { name: "tap1" } },
    pods,
    ...more,
  });

  before(async function () {
    this.timeout(90_000);
    lab = await Lab.up({ nodes: { n1: ["a", "b", "c"], n2: ["d"] }, ovn: { a: 9, b: 9, c: 8, d: 9 } });
    node = lab.node("n1");
    [a, b, c, d] = ["a", "b", "c", "d"].map((name) => lab!.pod(name)) as [LabPod, LabPod, LabPod, LabPod];
    for (const peer of [b, c, d])
      for (const v6 of [false, true]) {
        const result = await a.ping(peer, { v6, count: 10 });
        assert.ok(result.received > 0, `OVN itself delivers to ${peer.name}`);
      }
    programmer = await lab.program(node);
  });
  after(() => lab?.down());

  /** What has to be asked for first (neighbours of tunnels, OVN's own) must not cost a packet that is counted. */
  const answers = async (peer: LabPod, v6: boolean): Promise<void> => {
    await eventually(`${peer.name} answers every ping`, async () => (await a.ping(peer, { v6 })).received === 5);
  };

  it("copies each packet once, in both directions and families, switched, routed and from another node", async () => {
    await programmer.apply([tap([a])]);
    for (const peer of [b, c, d])
      for (const v6 of [false, true]) {
        await answers(peer, v6);
        const [wire, copies] = await seen(
          lab!,
          [
            [a, "eth0"],
            [node, "tap1"],
          ],
          () => a.ping(peer, { v6 }),
        );
        assert.equal(echoes(copies!).length, 10, `${peer.name} ${v6}`);
        assert.deepEqual(echoes(copies!), echoes(wire!));
        assert.equal(copies!.length, 10);
      }
  });

  it("copies what two selected Pods say to each other once", async () => {
    await programmer.apply([tap([a, b, c])]);
    for (const peer of [b, c]) {
      const [wire, copies] = await seen(
        lab!,
        [
          [a, "eth0"],
          [node, "tap1"],
        ],
        () => a.ping(peer),
      );
      assert.equal(copies!.length, 10, peer.name);
      assert.deepEqual(echoes(copies!), echoes(wire!));
    }
  });

  it("sends each packet through the device once", async () => {
    const wire = await lab!.addWire(node, "w");
    await programmer.apply([through(wire, [a])]);
    for (const peer of [b, c, d])
      for (const v6 of [false, true]) {
        await answers(peer, v6);
        const [own, inspected] = await seen(
          lab!,
          [
            [a, "eth0"],
            [node, wire.target],
          ],
          async () => {
            const { received, duplicates } = await a.ping(peer, { v6 });
            assert.deepEqual([received, duplicates], [5, 0], `${peer.name} ${v6}`);
          },
        );
        assert.equal(inspected!.length, 10);
        assert.deepEqual(echoes(inspected!), echoes(own!));
      }
  });

  it("leaves nothing behind", async () => {
    await programmer.apply([]);
    assert.deepEqual(await ownFlows(node), []);
    assert.doesNotMatch(await database(node), /tap1|tc-/);
    assert.ok((await foreignFlows(node)).length > 0);
  });
});
