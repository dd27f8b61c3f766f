/** A Pod that is new on a node whose programmer has its plan already: the first packet that its container sends is seen. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { Lab } from "../support/lab";
import type { LabNode, LabPod, LabProgrammer, LabRule } from "../support/lab";
import { long } from "../support/slow";

const PODS = 5;
/** Each of them is new that many times: with another row in Open vSwitch and another MAC address. */
const TIMES = 10;
/**
 * From a Pod's port to its container's first packet: kubelet has the container made then, which takes a runtime a dozen
 * processes, and so the longer the busier the machine is.
 */
const CONTAINER_START = { milliseconds: 100, processes: 12 };

/** It makes a hundred Pods one after the other: in the long suite only. */
long(`the first packets of ${PODS * TIMES} new Pods`, () => {
  let lab: Lab;
  let node: LabNode;
  let programmer: LabProgrammer;
  let peer: LabPod;
  let pods: LabPod[];
  const names = Array.from({ length: PODS }, (_, index) => `new${index}`);
  before(async () => {
    lab = await Lab.up({ nodes: { n1: ["peer", ...names] } });
    node = lab.node("n1");
    peer = lab.pod("peer");
    pods = names.map((name) => lab.pod(name));
    await lab.addWire(node, "w1");
    programmer = await lab.program(node);
  });
  after(() => lab.down());

  /** The Pod's port, as CNI makes it for a new one. No ARP later: a container's first packet is what it says itself. */
  async function makeAnew(pod: LabPod, mac: string): Promise<void> {
    const neighbour = (address: string, lladdr: string): string[] => [
      "neigh",
      "replace",
      address,
      "lladdr",
      lladdr,
      "dev",
      "eth0",
      "nud",
      "permanent",
    ];
    await pod.exec("ip", "link", "set", "eth0", "address", mac);
    await pod.exec("ip", ...neighbour(peer.address, peer.mac));
    await peer.exec("ip", ...neighbour(pod.address, mac));
    await node.vsctl(...pod.attach());
  }
  let made = 0;

  /** Senders of the echo requests on the device, in order, while every Pod is made anew, pings once, and goes. */
  async function seenOn(device: string, rule: Omit<LabRule, "name" | "direction" | "pods">): Promise<string[]> {
    await node.vsctl(...pods.flatMap(({ port }) => ["--", "--if-exists", "del-port", "br-int", port]));
    await programmer.apply([{ ...rule, name: `to-${device}`, direction: "Egress", pods }]);
    const capture = await lab.capture(node, device, { filter: "icmp[icmptype] == icmp-echo" });
    for (let time = 0; time < TIMES; time++)
      for (const pod of pods) {
        await makeAnew(pod, `0a:00:00:00:01:${(made++).toString(16).padStart(2, "0")}`);
        await sleep(CONTAINER_START.milliseconds);
        for (let each = 0; each < CONTAINER_START.processes; each++) await pod.exec("true");
        const { received } = await pod.ping(peer, { count: 1 });
        assert.equal(received, 1, `the answer to ${pod.name}, time ${time}`);
        await node.vsctl("del-port", "br-int", pod.port);
      }
    return (await capture.stop()).map(({ inner }) => inner.source ?? "");
  }
  const all = (): string[] => Array.from({ length: TIMES }, () => pods.map(({ address }) => address)).flat();

  it("are all copied by a Mirror", async () => {
    assert.deepEqual(await seenOn("tap1", { targetPort: { ovsInternal: { name: "tap1" } } }), all());
  });

  it("are all taken to the device by a Redirect, and come back", async () => {
    const [targetPort, returnPort] = [{ device: { name: "w1-t" } }, { device: { name: "w1-r" } }];
    assert.deepEqual(await seenOn("w1-t", { targetPort, returnPort }), all());
  });
});
