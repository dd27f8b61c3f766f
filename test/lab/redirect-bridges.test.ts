/**
 * Redirects whose ports an administrator has attached to other bridges than the Pod's: where the two ports are × direction ×
 * IPv4/IPv6 × peer on the same or another node. Each packet that is meant goes through the device exactly once and arrives.
 * The device is a wire, the programmer the real one.
 */
import assert from "node:assert/strict";
import type { Direction } from "@ovs-traffic-control/api";
import { eventually } from "../support/e2e/eventually";
import { DATAPATH, Lab } from "../support/lab";
import type { LabNode, LabPod, LabProgrammer, LabRule, Packet, Wire } from "../support/lab";
import { database, flows, unflooded } from "../support/lab/contents";
import { echoes, seen, through } from "../support/lab/inline";
import { value } from "../support/lab-result";
import { IS_LONG, long } from "../support/slow";

const PINGS = 4;
const POD = "br-int";
const OTHERS = ["br-x", "br-y"] as const;
const directions: Direction[] = ["Ingress", "Egress", "Both"];

interface Placement {
  title: string;
  target: string;
  back: string;
  /** All directions in npm test; of the others one, because only the names of the bridges differ. */
  whole: boolean;
}
const placements: Placement[] = [
  { title: "both on the Pod's bridge", target: POD, back: POD, whole: false },
  { title: "target on another bridge, return port on the Pod's", target: "br-x", back: POD, whole: false },
  { title: "both on another bridge", target: "br-x", back: "br-x", whole: false },
  { title: "target on the Pod's bridge, return port on another", target: POD, back: "br-x", whole: false },
  { title: "on two bridges, neither of them the Pod's", target: "br-x", back: "br-y", whole: true },
];

/** In the long suite for the reason that redirect-matrix.test.ts gives. */
long("a redirect on several bridges", function () {
  this.timeout(120_000);
  let lab: Lab;
  let node: LabNode;
  let programmer: LabProgrammer;
  let pod: LabPod;
  let untouched: unknown;
  const wires: Wire[] = [];
  before(async () => {
    lab = await Lab.up({ nodes: { n1: ["a", "b"], n2: ["c"] } });
    node = lab.node("n1");
    pod = lab.pod("a");
    for (const name of OTHERS)
      await node.vsctl("add-br", name, "--", "set", "bridge", name, `datapath_type=${DATAPATH}`);
    for (const [index, { target, back }] of placements.entries()) {
      const wire = await lab.addWire(node, `w${index}`);
      await attach(target, wire.target);
      await attach(back, wire.back);
      wires.push(wire);
    }
    // Somebody floods, which makes us set no-flood; on one port he has set it himself.
    for (const bridge of [POD, ...OTHERS])
      await node.ofctl("add-flow", bridge, "priority=1,dl_dst=0a:00:00:00:00:ff,actions=FLOOD");
    const [first] = wires;
    value(await node.openflow.modPort(POD, first!.target, "no-flood"));
    untouched = await state();
    programmer = await lab.program(node);
  });
  after(() => lab.down());

  const peers = (): LabPod[] => [lab.pod("b"), lab.pod("c")];

  /** By the administrator, who lets it be used, and knows that a wire between two ports is a loop. */
  async function attach(bridge: string, name: string): Promise<void> {
    await node.vsctl(
      ...["add-port", bridge, name, "vlan_mode=trunk", "trunks=4095", "--", "set", "port", name],
      "external_ids:ovs-traffic-control.dev/adopt=true",
    );
  }

  const state = async (): Promise<unknown> => {
    const bridges = [POD, ...OTHERS];
    return {
      database: await database(node),
      flows: await Promise.all(bridges.map((bridge) => flows(node, {}, bridge))),
      unflooded: await Promise.all(bridges.map((bridge) => unflooded(node, bridge))),
    };
  };

  /** Echoes at the Pod, going into the device, and coming out of it, while the Pod pings everybody. */
  async function traffic(wire: Wire): Promise<Packet[][]> {
    await pod.exec("ip", "neigh", "flush", "dev", "eth0");
    return seen(
      lab,
      [
        [pod, "eth0"],
        [node, wire.target],
        [node, wire.back],
      ],
      async () => {
        const sent = peers().flatMap((peer) => [false, true].map((v6) => pod.ping(peer, { v6, count: PINGS })));
        for (const { received, duplicates } of await Promise.all(sent))
          assert.deepEqual({ received, duplicates }, { received: PINGS, duplicates: 0 });
      },
    );
  }

  /** Those that the direction means, for each family and peer in turn. */
  function meant(packets: readonly Packet[], direction: Direction): string[] {
    const own = [pod.address, pod.address6];
    return echoes(
      packets.filter(
        ({ inner }) => direction === "Both" || own.includes(inner.source ?? "") === (direction === "Egress"),
      ),
    );
  }

  placements.forEach(({ title, whole }, index) => {
    describe(title, () => {
      for (const direction of whole || IS_LONG ? directions : (["Both"] as const))
        it(`${direction}: each packet goes through the device once`, async () => {
          const wire = wires[index]!;
          const status = await programmer.apply([through(wire, [pod], { direction })]);
          const [condition] = status.conditions ?? [];
          assert.equal(condition?.status, "True", condition?.message);
          const [own, into, outOf] = (await traffic(wire)) as [Packet[], Packet[], Packet[]];
          assert.equal(echoes(own).length, 2 * 2 * 2 * PINGS);
          assert.equal(meant(own, direction).length, (direction === "Both" ? 2 : 1) * 2 * 2 * PINGS);
          assert.deepEqual(echoes(into), meant(own, direction));
          assert.deepEqual(echoes(outOf), meant(own, direction));
        });
    });
  });

  // A group, because Mocha runs what is in none before the groups.
  describe("whose ports move", () => {
    it("finds back though nothing is written down on the return port's bridge", async () => {
      await programmer.apply([through(wires.at(-1)!, [pod])]);
      const own = await lab.capture(pod, "eth0");
      const into = await lab.capture(node, wires.at(-1)!.target);
      for (const peer of peers()) {
        // The datapath has flows for these packets, and has said what it counted: nothing is learned of the next ones.
        assert.equal((await pod.ping(peer, { count: PINGS })).received, PINGS);
        await node.appctl.command("ovs-vswitchd", "revalidator/wait");
        await node.ofctl("del-flows", "br-y", "table=247");
        assert.equal((await pod.ping(peer, { count: PINGS })).received, PINGS, peer.name);
      }
      assert.deepEqual(echoes(await into.stop()), echoes(await own.stop()));
    });

    it("loses no packet while the ports move from bridge to bridge", async () => {
      const at = (index: number): LabRule[] => [through(wires[index]!, [pod])];
      await programmer.apply(at(0));
      const rounds = IS_LONG ? 10 : 1;
      const pings = Promise.all(peers().map((peer) => pod.ping(peer, { count: 400 * rounds })));
      for (let round = 0; round < rounds; round++)
        for (const index of [1, 2, 3, 4, 2, 4, 3, 1, 0]) await programmer.apply(at(index));
      for (const { sent, received, duplicates } of await pings)
        assert.deepEqual({ received, duplicates }, { received: sent, duplicates: 0 });
    });

    it("leaves all bridges as they were", async () => {
      await programmer.apply([]);
      await eventually("everything is as before", async () => {
        assert.deepEqual(await state(), untouched);
        return true;
      });
    });
  });
});
