/**
 * What could go wrong on OVN: NetworkPolicy that a redirect skips, load balancers, daemons that die, ports that are bound
 * anew, keys that another Pod inherits. Real OVN, real packets, the real programmer.
 */
import assert from "node:assert/strict";
import { eventually } from "../support/e2e/eventually";
import { Lab } from "../support/lab";
import type { LabNode, LabPod, LabProgrammer, LabRule, Packet, Wire } from "../support/lab";
import { ownFlows } from "../support/lab/contents";
import { echoes, seen, through } from "../support/lab/inline";
import { serve, fetchFrom } from "../support/lab/transfer";
import { slow } from "../support/slow";

describe("hazards on real OVN", function () {
  let lab: Lab | undefined;
  let node: LabNode;
  let programmer: LabProgrammer;
  let wire: Wire;
  let a: LabPod, b: LabPod, c: LabPod;
  const ovn = (...args: string[]): Promise<string> => lab!.ovn.nbctl(...args);
  const tap = (pods: LabPod[], more: Partial<LabRule> = {}): LabRule => ({
    name: "tap",
    direction: "Both",
    targetPort: { ovsInternal: { name: "tap1" } },
    pods,
    ...more,
  });

  before(async function () {
    this.timeout(90_000);
    lab = await Lab.up({ nodes: { n1: ["a", "b", "c"] }, ovn: { a: 9, b: 9, c: 8 } });
    node = lab.node("n1");
    [a, b, c] = ["a", "b", "c"].map((name) => lab!.pod(name)) as [LabPod, LabPod, LabPod];
    wire = await lab.addWire(node, "w");
    for (const peer of [b, c]) await a.ping(peer);
    programmer = await lab.program(node);
  });
  after(() => lab?.down());

  it("copies once what two selected Pods say to each other, on one logical switch and through the router", async () => {
    await programmer.apply([tap([a, b, c])]);
    for (const peer of [b, c]) {
      const [own, copies] = await seen(lab!, [[a, "eth0"], [node, "tap1"]], () => a.ping(peer)); // prettier-ignore
      assert.equal(copies!.length, 10, peer.name);
      assert.deepEqual(echoes(copies!), echoes(own!));
    }
  });

  describe("with an ACL between two redirected Pods of one logical switch", () => {
    before(async () => {
      await programmer.apply([through(wire, [a, b])]);
      await ovn("acl-add", "sw9", "to-lport", "1000", `outport == "${b.logicalPort}" && (icmp4 || icmp6)`, "drop");
      await lab!.ovn.sync();
    });
    after(() => ovn("acl-del", "sw9").then(() => lab!.ovn.sync()));

    for (const v6 of [false, true])
      it(`lets none of its packets pass, IPv${v6 ? 6 : 4}`, async () => {
        const places: Parameters<typeof seen>[1] = [
          [b, "eth0"],
          [node, wire.target],
        ];
        const [atB, inspected] = await seen(lab!, places, async () => {
          assert.equal((await a.ping(b, { v6, count: 4 })).received, 0);
        });
        assert.deepEqual(echoes(atB!), []);
        assert.equal(echoes(inspected!).length, 4, "each was inspected once, as sent by its Pod");
      });
  });

  describe("with stateful ACLs and a load balancer", () => {
    before(async () => {
      await serve(c, 8080, 2_000_000);
      await ovn(
        ...["acl-add", "sw9", "from-lport", "1000", `inport == "${a.logicalPort}" && tcp`, "allow-related", "--"],
        ...["acl-add", "sw9", "to-lport", "900", `outport == "${a.logicalPort}" && ip`, "drop", "--"],
        ...["lb-add", "lb", "10.99.0.1:80", `${c.address}:8080`, "tcp", "--", "ls-lb-add", "sw9", "lb"],
      );
      await lab!.ovn.sync();
    });
    after(() => ovn("acl-del", "sw9", "--", "lb-del", "lb").then(() => lab!.ovn.sync()));

    for (const address of ["10.99.0.1:80", "the Pod itself"])
      it(`takes every packet of a transfer from ${address} through the device exactly once`, async () => {
        await programmer.apply([through(wire, [a])]);
        const [host, port] = address.includes(":") ? address.split(":") : [c.address, "8080"];
        const places: Parameters<typeof seen>[1] = [
          [a, "eth0"],
          [node, wire.target],
        ];
        const [own, inspected] = await seen(
          lab!,
          places,
          async () => {
            assert.equal(await fetchFrom(a, host!, Number(port)), 2_000_000);
          },
          "tcp",
        );
        assert.ok(own!.length > 1400);
        const [into, distinct] = [segments(inspected!), new Set(segments(inspected!))];
        assert.equal(distinct.size, into.length, "none of them twice");
        assert.deepEqual(
          segments(own!).filter((segment) => !distinct.has(segment)),
          [],
          "none past it",
        );
        assert.ok(
          inspected!.every(({ inner }) => inner.source === host || inner.destination === host),
          "the device sees the address that the Pod sees, in both directions",
        );
      });
  });

  describe("when daemons die", () => {
    const isWhole = async (): Promise<void> => {
      const [own, copies] = await seen(lab!, [[a, "eth0"], [node, "tap1"]], () => a.ping(c)); // prettier-ignore
      assert.deepEqual(echoes(copies!), echoes(own!));
      assert.equal(copies!.length, 10);
    };
    let whole: string[];
    before(async () => {
      await programmer.apply([tap([a])]);
      whole = await ownFlows(node);
    });

    it("puts all flows back after ovn-controller has removed them in its restart", async () => {
      await node.kill("ovn-controller");
      assert.deepEqual(await ownFlows(node), whole, "they outlive it");
      await node.startOvnController();
      await lab!.ovn.sync();
      await eventually("every flow is back", async () => same(await ownFlows(node), whole));
      await isWhole();
    });

    it("goes on without ovn-northd, and after its restart", async () => {
      await lab!.ovn.killNorthd();
      await isWhole();
      await lab!.ovn.startNorthd();
      await lab!.ovn.sync();
      await isWhole();
    });

    it("puts all flows back after a restart of ovs-vswitchd", async () => {
      await node.killVswitchd();
      await node.startVswitchd();
      await lab!.ovn.sync();
      await eventually("every flow is back", async () => (await ownFlows(node)).length === whole.length);
      await eventually("OVN delivers again", async () => (await a.ping(c)).received === 5);
      await isWhole();
    });
  });

  it("follows a Pod's port that is bound anew, and leaves the former one alone", async () => {
    await programmer.apply([tap([a])]);
    const before = await ownFlows(node);
    await ovn("lsp-del", a.logicalPort);
    await lab!.ovn.sync();
    await programmer.status(({ rules = [] }) => rules[0]?.pendingPods[0]?.reason === "PortNotBound");
    // Another Pod's port gets the key that the Pod's had.
    const key = /reg15=(0x[0-9a-f]+)/.exec(before.join("\n"))?.[1];
    await ovn("set", "logical_switch_port", b.logicalPort, `options:requested-tnl-key=${Number(key)}`);
    await lab!.ovn.sync();
    const places: Parameters<typeof seen>[1] = [
      [b, "eth0"],
      [node, "tap1"],
    ];
    const [own, copies] = await seen(lab!, places, () => b.ping(c));
    assert.equal(echoes(own!).length, 10);
    assert.deepEqual(copies, []);
    await ovn(
      ...["lsp-add", "sw9", a.logicalPort],
      ...["--", "lsp-set-addresses", a.logicalPort, `${a.mac} ${a.address} ${a.address6}`],
    );
    await lab!.ovn.sync();
    await programmer.status(({ realizedPods }) => realizedPods === 1);
    const [again, more] = await seen(lab!, [[a, "eth0"], [node, "tap1"]], () => a.ping(c)); // prettier-ignore
    assert.deepEqual(echoes(more!), echoes(again!));
    assert.equal(more!.length, 10);
  });

  slow("keeps a redirected connection while 500 logical ports come and go", async function () {
    this.timeout(300_000);
    await programmer.apply([through(wire, [a])]);
    await serve(b, 8081, 200_000_000);
    const transfer = fetchFrom(a, b.address, 8081, 5_000_000);
    const names = Array.from({ length: 500 }, (_, index) => `churn${index}`);
    for (const command of ["lsp-add", "lsp-del"])
      for (let at = 0; at < names.length; at += 50) {
        const words = names
          .slice(at, at + 50)
          .map((name) => (command === "lsp-add" ? [command, "sw9", name] : [command, name]));
        await ovn(...words.flatMap((each) => ["--", ...each]).slice(1));
        await lab!.ovn.sync();
      }
    assert.equal(await transfer, 200_000_000);
  });
});

/** Each packet by its identification, which a retransmission does not share. Those of the handshake have none. */
function segments(packets: readonly Packet[]): string[] {
  return packets
    .filter(({ inner }) => inner.flags?.includes("SYN") === false)
    .map(({ inner: { source, sourcePort, sequence, id } }) => [source, sourcePort, sequence, id].join(" "));
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.join("\n") === b.join("\n");
}
