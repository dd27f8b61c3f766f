/**
 * Redirects on a node with OVN's bridge and a switched one, of Pods on either, wherever the two ports are. In the long suite
 * only; redirect-bridges.test.ts has the same for switched bridges.
 */
import assert from "node:assert/strict";
import { eventually } from "../support/e2e/eventually";
import { DATAPATH, Lab } from "../support/lab";
import type { LabNode, LabPod, LabProgrammer } from "../support/lab";
import { echoes, seen, through } from "../support/lab/inline";
import { long } from "../support/slow";

const PINGS = 4;
const OVN = "br-int";
const SWITCHED = "br-x";

long("redirects between OVN's bridge and a switched one", function () {
  this.timeout(120_000);
  let lab: Lab;
  let node: LabNode;
  let programmer: LabProgrammer;
  before(async () => {
    const ovn = { a: 9, b: 9, x: 9, y: 9 };
    lab = await Lab.up({ nodes: { n1: ["a", "b", "x", "y"] }, ovn });
    node = lab.node("n1");
    await node.vsctl("add-br", SWITCHED, "--", "set", "bridge", SWITCHED, `datapath_type=${DATAPATH}`);
    for (const pod of [lab.pod("x"), lab.pod("y")]) {
      const attach = pod.attach().map((word) => (word === OVN ? SWITCHED : word));
      await node.vsctl("del-port", OVN, pod.port, "--", ...attach);
    }
    programmer = await lab.program(node);
  });
  after(() => lab.down());

  const pairs = [
    { title: "a Pod on OVN's bridge", names: ["a", "b"], home: OVN },
    { title: "a Pod on a switched bridge", names: ["x", "y"], home: SWITCHED },
  ] as const;
  for (const { title, names, home } of pairs)
    for (const [target, back] of [
      [OVN, OVN],
      [OVN, SWITCHED],
      [SWITCHED, OVN],
      [SWITCHED, SWITCHED],
    ] as const)
      it(`${title}, target on ${target}, return port on ${back}: each packet goes through the device once`, async () => {
        const [pod, peer] = names.map((name) => lab.pod(name)) as [LabPod, LabPod];
        const wire = await lab.addWire(
          node,
          `${home === OVN ? "o" : "s"}${target === OVN ? "o" : "s"}${back === OVN ? "o" : "s"}`,
        );
        await adopt(target, wire.target);
        await adopt(back, wire.back);
        const status = await programmer.apply([through(wire, [pod])]);
        assert.equal(status.conditions?.[0]?.status, "True", status.conditions?.[0]?.message);
        await eventually("every ping is answered", async () => (await pod.ping(peer)).received === 5);
        for (const v6 of [false, true]) {
          const [own, inspected, returned] = await seen(
            lab,
            [
              [pod, "eth0"],
              [node, wire.target],
              [node, wire.back],
            ],
            async () => {
              const { received, duplicates } = await pod.ping(peer, { v6, count: PINGS });
              assert.deepEqual({ received, duplicates }, { received: PINGS, duplicates: 0 });
            },
          );
          assert.equal(echoes(own!).length, 2 * PINGS);
          assert.deepEqual(echoes(inspected!), echoes(own!));
          assert.deepEqual(echoes(returned!), echoes(own!));
        }
      });

  /** The administrator attaches it, and lets it be used. */
  async function adopt(bridge: string, name: string): Promise<void> {
    const mark = "external_ids:ovs-traffic-control.dev/adopt=true";
    await node.vsctl("add-port", bridge, name, "vlan_mode=trunk", "trunks=4095", "--", "set", "port", name, mark);
  }
});
