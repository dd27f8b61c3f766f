/** The flow compiler: golden files for reading, properties for what must hold for every plan. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { canonicalActions, diffFlows, flowKey } from "ovs-ofctl-wrapper";
import type { Flow } from "ovs-ofctl-wrapper";
import {
  KIND,
  RULE_BITS,
  assignSlots,
  compile,
  cookie,
  isOurs,
  kindOf,
  slotsInForce,
} from "../../../packages/node-programmer/src/pipeline";
import type { BridgeInput, PodPort } from "../../../packages/node-programmer/src/pipeline";
import { matchesGolden } from "./golden";
import { lookUp } from "./packet";

const nothing: BridgeInput = {
  pipeline: "Switched",
  planHash: "5d41402abc4b2a76b9719d911017c592",
  taps: [],
  pods: [],
  taggedPorts: [],
  relays: [],
  silentPorts: [],
  carriedTunnels: [],
};
const web: PodPort = { ofport: 3, egress: [0], ingress: [0], macs: ["0a:00:00:00:00:03"], vlans: [0] };
const tap = { uid: "8f1c-web", target: 10, bit: 0 };

describe("the mirror pipeline", () => {
  it("of one Pod and one collector (the manifest everybody tries first)", () => {
    matchesGolden(
      "one-pod-vxlan",
      compile({
        ...nothing,
        taps: [tap],
        pods: [web],
        silentPorts: [10],
        carriedTunnels: [{ remoteIP: "10.0.10.2", udpPort: 4789 }],
      }),
    );
  });

  it("of access ports, a trunk, and several rules that share a target", () => {
    matchesGolden(
      "vlans-and-shared-target",
      compile({
        ...nothing,
        taps: [tap, { uid: "9a2b-ids", target: 10, bit: 1 }, { uid: "7c3d-tap", target: 11, bit: 33 }],
        pods: [
          { ...web, vlans: [100] },
          { ofport: 4, egress: [1, 33], ingress: [], macs: ["0a:00:00:00:00:04"], vlans: [0, 7, 8] },
          { ofport: 5, egress: [], ingress: [33], macs: ["0a:00:00:00:00:05", "0a:00:00:00:00:55"], vlans: "any" },
        ],
        taggedPorts: [
          { ofport: 3, tag: 100, tunnel: false },
          { ofport: 9, tag: 200, tunnel: true },
        ],
        silentPorts: [10, 11],
        carriedTunnels: [
          { remoteIP: "fd31::2", udpPort: 6081 },
          { remoteIP: "10.0.10.3", udpPort: null },
          { remoteIP: "fd31::3", udpPort: null },
        ],
      }),
    );
  });

  it("of a bridge without Pods that holds the target of another bridge's Pods", () => {
    matchesGolden(
      "relay",
      compile({
        ...nothing,
        relays: [{ from: 20, target: 10, inspected: false, returns: false }],
        silentPorts: [10, 20],
      }),
    );
  });

  it("is empty when nothing is wanted on the bridge", () => {
    assert.deepEqual(compile(nothing), []);
  });
});

describe("one packet, one copy per distinct target port", () => {
  const both: BridgeInput = {
    ...nothing,
    taps: [tap, { uid: "second", target: 10, bit: 1 }, { uid: "third", target: 11, bit: 2 }],
    pods: [
      { ...web, egress: [0, 1], ingress: [0] },
      { ofport: 4, egress: [0], ingress: [0, 1, 2], macs: ["0a:00:00:00:00:04"], vlans: [0] },
    ],
  };
  const flows = compile(both);
  const between = { in_port: 3, dl_dst: "0a:00:00:00:00:04", type: "ip" as const };

  it("also when both ends are selected, by several rules with one target", () => {
    assert.deepEqual(lookUp(flows, between).copies, [10, 11]);
  });

  it("none of what neither end is selected for", () => {
    assert.deepEqual(lookUp(flows, { ...between, in_port: 8, dl_dst: "0a:00:00:00:00:08" }).copies, []);
  });

  it("counts the copy of a shared target on the oldest rule that wants the packet", () => {
    const counted = lookUp(flows, { in_port: 3, dl_dst: "0a:00:00:00:00:08", type: "ip" }).hit;
    assert.deepEqual(
      counted.filter((flow) => kindOf(flow.cookie) === KIND.copy).map((flow) => flow.match),
      ["reg0=0x1/0x1,in_port=10"],
    );
  });

  it("none of ARP and neighbour discovery, one of an echo request", () => {
    assert.deepEqual(lookUp(flows, { ...between, type: "arp" }).copies, []);
    for (const icmp_type of [133, 134, 135, 136, 137])
      assert.deepEqual(lookUp(flows, { ...between, type: "icmp6", icmp_type }).copies, []);
    assert.deepEqual(lookUp(flows, { ...between, type: "icmp6", icmp_type: 128 }).copies, [10, 11]);
  });

  it("of multicast only because of its sender", () => {
    assert.deepEqual(lookUp(flows, { in_port: 4, dl_dst: "01:00:5e:00:00:01", type: "ip" }).copies, [10]);
    assert.deepEqual(lookUp(flows, { in_port: 8, dl_dst: "ff:ff:ff:ff:ff:ff", type: "ip" }).copies, []);
  });

  it("none of what a target injects, which goes nowhere", () => {
    const injected = lookUp(flows, { ...between, in_port: 10 });
    assert.deepEqual(injected.copies, []);
    assert.equal(injected.handedBack, false);
  });

  it("hands every packet back with nothing but the mark", () => {
    for (const packet of [between, { ...between, in_port: 8 }, { ...between, type: "arp" as const }]) {
      const { handedBack, registers } = lookUp(flows, packet);
      assert.equal(handedBack, true);
      assert.deepEqual(registers, { reg14: 1 });
    }
  });
});

describe("a copy on its way to its collector", () => {
  const flows = compile({
    ...nothing,
    taps: [tap],
    pods: [web],
    carriedTunnels: [
      { remoteIP: "10.244.1.9", udpPort: 4789 },
      { remoteIP: "10.244.1.9", udpPort: null },
    ],
  });
  const towards = { in_port: 3, dl_dst: "0a:00:00:00:00:09", nw_dst: "10.244.1.9" };

  it("is not copied again, even if sender and collector are selected Pods", () => {
    assert.deepEqual(lookUp(flows, { ...towards, type: "udp", tp_dst: 4789 }).copies, []);
    assert.deepEqual(lookUp(flows, { ...towards, type: "ip", nw_proto: 47 }).copies, []);
  });

  it("is told from what else the collector gets", () => {
    assert.deepEqual(lookUp(flows, { ...towards, type: "udp", tp_dst: 53 }).copies, [10]);
    assert.deepEqual(lookUp(flows, { ...towards, nw_dst: "10.244.1.8", type: "udp", tp_dst: 4789 }).copies, [10]);
  });
});

describe("VLANs", () => {
  const flows = compile({
    ...nothing,
    taps: [tap],
    pods: [{ ...web, egress: [], vlans: [100] }],
    taggedPorts: [
      { ofport: 3, tag: 100, tunnel: false },
      { ofport: 4, tag: 100, tunnel: false },
      { ofport: 5, tag: 200, tunnel: false },
    ],
  });
  const toPod = { dl_dst: "0a:00:00:00:00:03", type: "ip" as const };

  it("tell the Pod from another tenant's VM with the same MAC address", () => {
    assert.deepEqual(lookUp(flows, { ...toPod, in_port: 4 }).copies, [10], "from an access port of its VLAN");
    assert.deepEqual(lookUp(flows, { ...toPod, in_port: 5 }).copies, [], "from an access port of another VLAN");
    assert.deepEqual(lookUp(flows, { ...toPod, in_port: 9, vlan: 100 }).copies, [10], "tagged, from a trunk");
    assert.deepEqual(lookUp(flows, { ...toPod, in_port: 9, vlan: 200 }).copies, [], "tagged for another VLAN");
    assert.deepEqual(lookUp(flows, { ...toPod, in_port: 9 }).copies, [], "untagged, from a trunk");
  });

  it("do not let an access port claim a VLAN by sending a tag, which NORMAL drops", () => {
    assert.deepEqual(lookUp(flows, { ...toPod, in_port: 4, vlan: 200 }).copies, []);
  });
});

describe("the size of the pipeline", () => {
  const sizeOf = (pods: number, rules: number): number => {
    const bits = Array.from({ length: rules }, (_, bit) => bit);
    return compile({
      ...nothing,
      taps: bits.map((bit) => ({ uid: `rule-${bit}`, target: 5000 + bit, bit })),
      pods: Array.from({ length: pods }, (_, index) => ({
        ofport: index + 1,
        // Overlapping selections, each Pod another set: what makes class pairs explode.
        egress: bits.filter((bit) => (index + bit) % 3 !== 0),
        ingress: bits.filter((bit) => (index * 7 + bit) % 5 !== 0),
        macs: [
          `0a:00:00:00:${(index >> 8).toString(16).padStart(2, "0")}:${(index & 255).toString(16).padStart(2, "0")}`,
        ],
        vlans: [0],
      })),
    }).length;
  };

  it("is two flows per Pod, two per rule with a target of its own, and a constant", () => {
    const constant = sizeOf(2, 2) - 8;
    assert.ok(constant <= 20, `${constant}`);
    for (const [pods, rules] of [
      [100, 8],
      [200, 20],
      [500, 30],
    ] as const)
      assert.equal(sizeOf(pods, rules), 2 * pods + 2 * rules + constant);
  });
});

/** Small random plans on one bridge. */
const inputs = fc
  .record({
    rules: fc.integer({ min: 1, max: 40 }),
    pods: fc.array(
      fc.record({
        egress: fc.uniqueArray(fc.nat(39), { maxLength: 6 }),
        ingress: fc.uniqueArray(fc.nat(39), { maxLength: 6 }),
        vlan: fc.constantFrom(0, 0, 100, 200),
      }),
      { maxLength: 6 },
    ),
    targets: fc.integer({ min: 1, max: 5 }),
  })
  .map(
    ({ rules, pods, targets }): BridgeInput => ({
      ...nothing,
      taps: Array.from({ length: rules }, (_, bit) => ({ uid: `rule-${bit}`, target: 100 + (bit % targets), bit })),
      pods: pods.map(({ egress, ingress, vlan }, index) => ({
        ofport: index + 1,
        egress: egress.filter((bit) => bit < rules),
        ingress: ingress.filter((bit) => bit < rules),
        macs: [`0a:00:00:00:00:0${index + 1}`],
        vlans: [vlan],
      })),
      taggedPorts: pods.flatMap(({ vlan }, index) =>
        vlan === 0 ? [] : [{ ofport: index + 1, tag: vlan, tunnel: false }],
      ),
      silentPorts: Array.from({ length: targets }, (_, index) => 100 + index),
    }),
  );

describe("for every plan", () => {
  it("a packet is copied to exactly the targets of the rules that select its sender, or its receiver in its VLAN", () => {
    fc.assert(
      fc.property(inputs, fc.nat(7), fc.nat(7), (input, from, to) => {
        const sender = input.pods[from];
        const receiver = input.pods[to];
        const bits = [
          ...(sender?.egress ?? []),
          ...(receiver && (sender?.vlans[0] ?? 0) === receiver.vlans[0] ? receiver.ingress : []),
        ];
        const wanted = [...new Set(bits.map((bit) => input.taps[bit]!.target))].sort((a, b) => a - b);
        const { copies } = lookUp(compile(input), {
          in_port: from + 1,
          dl_dst: `0a:00:00:00:00:0${to + 1}`,
          type: "ip",
        });
        assert.deepEqual(copies, wanted);
      }),
      { numRuns: 300 },
    );
  });

  it("all flows are ours, no two of them have the same place, and only one is in the shared table", () => {
    fc.assert(
      fc.property(inputs, (input) => {
        const flows = compile(input);
        assert.ok(flows.every((flow) => isOurs(flow.cookie)));
        assert.equal(new Set(flows.map(flowKey)).size, flows.length);
        assert.equal(flows.filter((flow) => flow.table === 0).length, 1);
        assert.ok(
          flows.every((flow) => flow.actions === canonicalActions(flow.actions) || flow.actions.includes("resubmit")),
        );
      }),
    );
  });

  it("the plan's hash is in one flow alone, so a change of one Pod touches its flows and the marker", () => {
    fc.assert(
      fc.property(inputs, (input) => {
        const before = compile({ ...input, planHash: "before" });
        const more: PodPort = { ofport: 50, egress: [0], ingress: [0], macs: ["0a:00:00:00:00:50"], vlans: [0] };
        const after = compile({ ...input, planHash: "after", pods: [...input.pods, more] });
        assert.equal(diffFlows(before, after).length, 3);
      }),
    );
  });
});

describe("a rule's bit", () => {
  it("stays while the rule lives, whatever comes and goes around it", () => {
    const first = assignSlots(new Map(), ["a", "b", "c"]);
    const second = assignSlots(first, ["b", "c", "d"]);
    assert.deepEqual(
      [...second],
      [
        ["b", 1],
        ["c", 2],
        ["d", 0],
      ],
    );
  });

  it("is denied to the youngest rules when the registers are full", () => {
    const slots = assignSlots(new Map(), ["a", "b", "c"], 2);
    assert.deepEqual([...slots.keys()], ["a", "b"]);
    assert.equal(RULE_BITS, 384);
  });

  it("is read back from the bridge after a restart", () => {
    const slots = new Map([
      ["x", 37],
      ["y", 2],
    ]);
    const taps = [...slots].map(([uid, bit]) => ({ uid, target: 9, bit }));
    const flows: Flow[] = compile({ ...nothing, taps, pods: [{ ...web, egress: [2, 37], ingress: [] }] });
    assert.deepEqual(new Map(slotsInForce(flows, ["x", "y", "z"])), slots);
  });

  it("is not taken from flows that are not ours", () => {
    const foreign: Flow = {
      table: 245,
      priority: 1,
      cookie: cookie(KIND.copy, 1) & 0xffffffffn,
      match: "reg0=0x1/0x1",
      actions: "drop",
    };
    assert.equal(slotsInForce([foreign], ["x"]).size, 0);
  });
});
