/** Plan + facts → compiler input and results. */
import assert from "node:assert/strict";
import { REASONS } from "../../../capabilities/api";
import type { PlanPod, PlanPort, PlanRule, PlanSpec } from "../../../capabilities/api";
import type { BridgeKind, OvsView } from "../../../packages/node-programmer/src/ovs";
import { assignSlots } from "../../../packages/node-programmer/src/pipeline";
import { findPods } from "../../../packages/node-programmer/src/pods";
import type { Problem } from "../../../packages/node-programmer/src/pods";
import { onwardEnds, patchEnds, portSpec, portsOf } from "../../../packages/node-programmer/src/ports";
import type { PortOutcome } from "../../../packages/node-programmer/src/ports";
import { bridgesOfRules, longestPackets, resolve } from "../../../packages/node-programmer/src/reconcile/resolve";
import type { Facts, Resolution } from "../../../packages/node-programmer/src/reconcile/resolve";
import { ovsView, podPort } from "./views";

const rule = (name: string, targetPort: PlanPort, more: Partial<PlanRule> = {}): PlanRule => ({
  name,
  uid: `uid-${name}`,
  generation: 1,
  direction: "Both",
  action: "Mirror",
  targetPort,
  ...more,
});
const pod = (name: string, klass: number): PlanPod => ({
  namespace: "default",
  name,
  uid: `uid-${name}`,
  class: klass,
});
const tap0: PlanPort = { ovsInternal: { name: "tap0" } };
const vxlan: PlanPort = { vxlan: { remoteIP: "10.0.10.2", destinationPort: 4789, vni: 0 } };
const plan = (rules: PlanRule[], pods: PlanPod[], classes: number[][]): PlanSpec => ({
  nodeUID: "n",
  hash: "h",
  rules,
  pods,
  classes: classes.map((each) => ({ rules: each })),
});
const SWITCHED: BridgeKind = { kind: "Switched", floods: false };

interface Sketch {
  ports?: Record<string, { bridge?: string; ofport?: number; problem?: Problem }>;
  kinds?: Record<string, BridgeKind>;
  macs?: Record<string, string[]>;
  engaged?: string[];
}

function facts(spec: PlanSpec, view: OvsView, sketch: Sketch = {}): Facts {
  const ports = new Map<string, PortOutcome>();
  for (const port of spec.rules.flatMap(portsOf)) {
    if (ports.has(port.name)) continue;
    const found = sketch.ports?.[port.name];
    ports.set(port.name, {
      spec: port,
      bridge: "br-int",
      ofport: found?.problem ? undefined : 100 + ports.size,
      ...found,
    });
  }
  const pods = findPods(spec.pods, view, () => null);
  const attached = pods.flatMap((found) => found.ports);
  return {
    plan: spec,
    view,
    pods,
    kinds: new Map(view.bridges.map(({ name }) => [name, sketch.kinds?.[name] ?? SWITCHED])),
    ports,
    impossible: new Map(),
    ignored: new Set(),
    engaged: new Set(sketch.engaged),
    slots: assignSlots(
      new Map(),
      spec.rules.map(({ uid }) => uid),
    ),
    macs: new Map(attached.map(({ port }) => [port.uuid, sketch.macs?.[port.name] ?? ["0a:00:00:00:00:01"]])),
  };
}

const view = ovsView({ "br-int": [podPort("va", "uid-a", { ofport: 3 }), podPort("vb", "uid-b", { ofport: 4 })] });

describe("resolving a plan", () => {
  it("turns classes into the bits of each Pod, by direction", () => {
    const spec = plan(
      [rule("both", tap0), rule("out", vxlan, { direction: "Egress" }), rule("in", vxlan, { direction: "Ingress" })],
      [pod("a", 0), pod("b", 1)],
      [[0, 1, 2], [2]],
    );
    const { inputs, rules, realizedPods } = resolve(facts(spec, view));
    const input = inputs.get("br-int");
    assert.deepEqual(
      input?.pods.map(({ ofport, egress, ingress }) => [ofport, egress, ingress]),
      [
        [3, [0, 1], [0, 2]],
        [4, [], [2]],
      ],
    );
    assert.deepEqual(input.taps, [
      { uid: "uid-both", target: 100, bit: 0 },
      { uid: "uid-out", target: 101, bit: 1 },
      { uid: "uid-in", target: 101, bit: 2 },
    ]);
    assert.deepEqual(input.silentPorts, [100, 101]);
    assert.deepEqual(input.carriedTunnels.length, 2);
    assert.deepEqual(
      rules.map(({ realized, pending }) => [realized, pending.length]),
      [
        [1, 0],
        [1, 0],
        [2, 0],
      ],
    );
    assert.equal(realizedPods, 2);
  });

  it("leaves a rule out whose port has a problem, and says so for the rule and each of its Pods", () => {
    const problem = { reason: REASONS.noRoute, message: "no way" };
    const spec = plan([rule("bad", vxlan), rule("good", tap0)], [pod("a", 0)], [[0, 1]]);
    const { inputs, rules, realizedPods } = resolve(
      facts(spec, view, { ports: { [portSpec(vxlan).name]: { problem } } }),
    );
    assert.deepEqual(
      inputs.get("br-int")?.taps.map(({ uid }) => uid),
      ["uid-good"],
    );
    assert.deepEqual(rules[0]?.problem, problem);
    assert.deepEqual(
      rules[0].pending.map((each) => each.problem),
      [problem],
    );
    assert.equal(rules[1]?.realized, 1);
    assert.equal(realizedPods, 0);
  });

  it("names a Pod without a port, and one whose MAC address is unknown; the latter's own packets are copied", () => {
    const spec = plan([rule("both", tap0)], [pod("a", 0), pod("zz", 0)], [[0]]);
    const { inputs, rules } = resolve(facts(spec, view, { macs: { va: [] } }));
    assert.deepEqual(
      rules[0]?.pending.map(({ pod: { name }, problem }) => [name, problem.reason]),
      [
        ["a", REASONS.macUnknown],
        ["zz", REASONS.noOVSPort],
      ],
    );
    assert.deepEqual(
      inputs.get("br-int")?.pods.map(({ egress, macs }) => [egress, macs]),
      [[[0], []]],
    );
  });

  it("needs no MAC address for Egress", () => {
    const spec = plan([rule("out", tap0, { direction: "Egress" })], [pod("a", 0)], [[0]]);
    assert.equal(resolve(facts(spec, view, { macs: { va: [] } })).realizedPods, 1);
  });

  it("asks OVN's bridge for its key of a receiver's port, and a Redirect there for the MAC address in any direction", () => {
    const ovn = (keys: [number, string][]): Sketch => ({
      kinds: { "br-int": { kind: "OVN", floods: false, keys: new Map(keys) } },
    });
    const spec = plan([rule("both", tap0), rule("out", tap0, { direction: "Egress" })], [pod("a", 0)], [[0, 1]]);
    const waiting = resolve(facts(spec, view, ovn([])));
    assert.equal(waiting.rules[0]?.pending[0]?.problem.reason, REASONS.notBound);
    assert.equal(waiting.rules[1]?.realized, 1, "what it sends needs no key");
    const bound = resolve(facts(spec, view, ovn([[3, "metadata=0x1,reg15=0x2"]])));
    assert.equal(bound.realizedPods, 1);
    assert.equal(bound.inputs.get("br-int")?.pipeline, "OVN");
    assert.equal(bound.inputs.get("br-int")?.pods[0]?.key, "metadata=0x1,reg15=0x2");
    const through = rule("in", tap0, {
      direction: "Egress",
      action: "Redirect",
      returnPort: { ovsInternal: { name: "r" } },
    });
    const unknown = resolve(facts(plan([through], [pod("a", 0)], [[0]]), view, { ...ovn([]), macs: { va: [] } }));
    assert.equal(unknown.rules[0]?.pending[0]?.problem.reason, REASONS.macUnknown);
  });

  describe("on a pipeline that is not ours", () => {
    const antrea: BridgeKind = { kind: "Antrea", floods: false, message: "Antrea here." };
    const both = plan([rule("both", tap0)], [pod("a", 0)], [[0]]);

    it("has copies taken by Mirror rows, needs no MAC address for it, and says that they are approximate", () => {
      const { inputs, rules } = resolve(facts(both, view, { kinds: { "br-int": antrea }, macs: { va: [] } }));
      assert.equal(inputs.get("br-int")?.pipeline, "MirrorRows");
      assert.deepEqual([rules[0]?.realized, rules[0]?.pending], [1, []]);
      assert.match(rules[0]?.approximate ?? "", /^Antrea here\. So copies are taken by Mirror rows/);
    });

    it("touches no bridge whose flows leave no place at all", () => {
      const { inputs, rules } = resolve(facts(both, view, { kinds: { "br-int": { ...antrea, isFull: true } } }));
      assert.equal(inputs.size, 0);
      const [pending] = rules[0]?.pending ?? [];
      assert.equal(pending?.problem.reason, REASONS.pipelineUnknown);
      assert.match(pending.problem.message, /table 249/);
    });

    it("refuses Redirect, and goes on mirroring", () => {
      const through = rule("in", vxlan, { action: "Redirect", returnPort: { ovsInternal: { name: "r" } } });
      const spec = plan([rule("both", tap0), through], [pod("a", 0)], [[0, 1]]);
      const { inputs, rules } = resolve(facts(spec, view, { kinds: { "br-int": antrea } }));
      assert.deepEqual(
        rules.map(({ realized, pending }) => [realized, pending[0]?.problem.reason]),
        [
          [1, undefined],
          [0, REASONS.pipelineUnknown],
        ],
      );
      assert.equal(inputs.get("br-int")?.taps.length, 1);
      assert.deepEqual(inputs.get("br-int")?.redirection?.redirects ?? [], []);
    });
  });

  it("knows the longest packets of the Pods that a tunnel is for, whatever others there are", () => {
    const three = ovsView({
      "br-int": [
        podPort("va", "uid-a", { ofport: 3, mtu: 1400 }),
        podPort("vb", "uid-b", { ofport: 4, mtu: 1450 }),
        podPort("vc", "uid-c", { ofport: 5, mtu: 9000 }),
      ],
    });
    const pods = [pod("a", 0), pod("b", 0), pod("c", 1)];
    const spec = plan([rule("x", vxlan), rule("y", tap0)], pods, [[0], [1]]);
    const found = findPods(pods, three, () => null);
    assert.deepEqual([...longestPackets(spec, found, spec.rules.map(portsOf))], [[portSpec(vxlan).name, 1450]]);
  });

  it("reaches a target on another bridge by a patch pair of its own", () => {
    const two = ovsView({
      "br-a": [podPort("va", "uid-a", { ofport: 3 })],
      "br-b": [podPort("vb", "uid-b", { ofport: 3 })],
    });
    const spec = plan([rule("both", tap0)], [pod("a", 0), pod("b", 0)], [[0]]);
    const before = facts(spec, two, { ports: { tap0: { bridge: "br-a", ofport: 9 } } });
    const ends = patchEnds("br-b", "br-a", "tap0");
    const ports = new Map(before.ports);
    ports.set(ends.out.name, { spec: ends.out, bridge: "br-b", ofport: 20 });
    ports.set(ends.in.name, { spec: ends.in, bridge: "br-a", ofport: 30 });
    const { inputs, realizedPods } = resolve({ ...before, ports });
    assert.deepEqual(inputs.get("br-a")?.relays, [{ from: 30, target: 9, inspected: false, returns: false }]);
    assert.deepEqual(
      inputs.get("br-a")?.taps.map(({ target }) => target),
      [9],
    );
    assert.deepEqual(inputs.get("br-b")?.relays, []);
    assert.deepEqual(
      inputs.get("br-b")?.taps.map(({ target }) => target),
      [20],
    );
    assert.equal(realizedPods, 2);
    assert.deepEqual(bridgesOfRules(spec, before.pods), [["br-a", "br-b"]]);
  });

  it("knows the VLAN of every tagged port, as soon as somebody's ingress is wanted", () => {
    const tagged = ovsView({
      "br-int": [
        podPort("va", "uid-a", { ofport: 3, tag: 100 }),
        { name: "vm", ofport: 8, tag: 200 },
        { name: "trunk", ofport: 9 },
      ],
    });
    const spec = (direction: PlanRule["direction"]): PlanSpec =>
      plan([rule("r", tap0, { direction })], [pod("a", 0)], [[0]]);
    assert.deepEqual(resolve(facts(spec("Both"), tagged)).inputs.get("br-int")?.taggedPorts, [
      { ofport: 3, tag: 100, tunnel: false },
      { ofport: 8, tag: 200, tunnel: false },
    ]);
    assert.deepEqual(resolve(facts(spec("Egress"), tagged)).inputs.get("br-int")?.taggedPorts, []);
  });
});

describe("resolving redirects", () => {
  const device = (name: string): PlanPort => ({ device: { name } });
  const inline = (name: string, more: Partial<PlanRule> = {}): PlanRule =>
    rule(name, device(`${name}-t`), { action: "Redirect", returnPort: device(`${name}-r`), ...more });
  const acting = (spec: PlanSpec, sketch: Sketch = {}): unknown =>
    resolve(facts(spec, view, sketch))
      .inputs.get("br-int")
      ?.pods.map(({ egressRedirect, ingressRedirect }) => [egressRedirect, ingressRedirect]);

  it("lets one redirect act on each direction of a Pod: the oldest that wants it", () => {
    const spec = plan(
      [inline("in", { direction: "Ingress" }), inline("both"), inline("out", { direction: "Egress" })],
      [pod("a", 0), pod("b", 1)],
      [[0, 1, 2], [2]],
    );
    assert.deepEqual(acting(spec), [
      [2, 1],
      [3, undefined],
    ]);
  });

  it("names return ports and homes, and keeps copies apart", () => {
    const spec = plan([rule("copy", tap0), inline("both")], [pod("a", 0), pod("b", 1)], [[0, 1], [0]]);
    const input = resolve(facts(spec, view)).inputs.get("br-int");
    assert.deepEqual(input?.redirection, {
      redirects: [{ uid: "uid-both", target: 101, number: 2 }],
      returns: [102],
      homes: [{ ofport: 3, macs: ["0a:00:00:00:00:01"], frames: [0], native: 0, sends: true, receives: true }],
      visitors: [],
    });
    assert.deepEqual(input.taps, [{ uid: "uid-copy", target: 100, bit: 0 }]);
  });

  it("does not begin while a port is missing, nor lets a younger one act instead; once begun, it lets nothing past", () => {
    const problem = { reason: REASONS.targetPortMissing, message: "There is no device old-r." };
    const spec = plan([inline("old"), inline("young")], [pod("a", 0)], [[0, 1]]);
    const missing: Sketch = { ports: { "old-r": { problem } } };
    assert.deepEqual(acting(spec, missing), []);
    const begun = resolve(facts(spec, view, { ...missing, engaged: ["uid-old"] }));
    assert.deepEqual(begun.inputs.get("br-int")?.redirection?.redirects, [{ uid: "uid-old", target: null, number: 1 }]);
    assert.match(
      begun.rules[0]?.problem?.message ?? "",
      /no device old-r. Until then the packets of its Pods are dropped/,
    );
  });

  it("goes to another bridge and back through the target's patch pair", () => {
    const two = ovsView({
      "br-a": [podPort("va", "uid-a", { ofport: 3 })],
      "br-b": [podPort("vb", "uid-b", { ofport: 3 })],
    });
    const spec = plan([inline("x")], [pod("b", 0)], [[0]]);
    const at = (bridge: string): Sketch => ({
      ports: { "x-t": { bridge: "br-a", ofport: 8 }, "x-r": { bridge, ofport: 9 } },
    });
    const ends = patchEnds("br-b", "br-a", "x-t");
    const withPair = (known: Facts): Facts => ({
      ...known,
      ports: new Map([
        ...known.ports,
        [ends.out.name, { spec: ends.out, bridge: "br-b", ofport: 20 }],
        [ends.in.name, { spec: ends.in, bridge: "br-a", ofport: 30 }],
      ]),
    });
    const { inputs } = resolve(withPair(facts(spec, two, at("br-a"))));
    assert.deepEqual(inputs.get("br-a")?.relays, [{ from: 30, target: 8, inspected: true, returns: true }]);
    assert.deepEqual(inputs.get("br-a")?.redirection?.returns, [9]);
    assert.deepEqual(inputs.get("br-b")?.redirection?.returns, [20]);
    assert.deepEqual(inputs.get("br-b")?.redirection?.redirects, [{ uid: "uid-x", target: 20, number: 1 }]);
    const beside = resolve(withPair(facts(spec, two, at("br-b"))));
    assert.deepEqual(beside.inputs.get("br-b")?.redirection?.returns, [9], "the return port may be beside the Pod");
    assert.deepEqual(beside.inputs.get("br-a")?.relays, [{ from: 30, target: 8, inspected: true, returns: false }]);
  });

  describe("whose return port is on another bridge than the Pod", () => {
    const bridges = { "br-a": [podPort("va", "uid-a", { ofport: 3 })], "br-b": [], "br-c": [] };
    const three = ovsView(bridges);
    const spec = plan([inline("x")], [pod("a", 0)], [[0]]);
    /** The Pod is on br-a, the return port on br-b. */
    const resolved = (target: string, more: Partial<Facts> = {}): Resolution => {
      const known = facts(spec, three, {
        ports: { "x-t": { bridge: target, ofport: 8 }, "x-r": { bridge: "br-b", ofport: 9 } },
      });
      const pairs = [
        { ends: patchEnds("br-a", "br-b", "x-t"), from: "br-a", to: "br-b", ofports: [20, 30] },
        { ends: onwardEnds("br-b", target, "x-t"), from: "br-b", to: target, ofports: [31, 41] },
      ] as const;
      const ports = new Map(known.ports);
      for (const { ends, from, to, ofports } of pairs) {
        ports.set(ends.out.name, { spec: ends.out, bridge: from, ofport: ofports[0] });
        ports.set(ends.in.name, { spec: ends.in, bridge: to, ofport: ofports[1] });
      }
      return resolve({ ...known, ports, ...more });
    };

    for (const target of ["br-a", "br-c"])
      it(`visits that bridge on its way to a target on ${target}, and comes back through the pair by which it came there`, () => {
        const { inputs, realizedPods } = resolved(target);
        assert.equal(realizedPods, 1);
        assert.deepEqual(inputs.get("br-a")?.redirection?.redirects, [{ uid: "uid-x", target: 20, number: 1 }]);
        assert.deepEqual(inputs.get("br-a")?.redirection?.returns, [20]);
        assert.deepEqual(inputs.get("br-b")?.relays, [{ from: 30, target: 31, inspected: true, returns: true }]);
        const visitors = [{ by: 30, macs: ["0a:00:00:00:00:01"] }];
        assert.deepEqual(inputs.get("br-b")?.redirection, { redirects: [], returns: [9], homes: [], visitors });
        assert.deepEqual(inputs.get(target)?.relays, [{ from: 41, target: 8, inspected: true, returns: false }]);
      });

    it("is refused if a bridge on the way is not programmed", () => {
      const unknown: BridgeKind = { kind: "Unknown", floods: false, message: "Bridge br-c routes." };
      const kinds = new Map([...facts(spec, three).kinds, ["br-c", unknown] as const]);
      const { rules, inputs } = resolved("br-c", { kinds });
      const message = "Bridge br-c routes. What comes from bridge br-a cannot be led on to a port of x there.";
      const problem = { reason: REASONS.pipelineUnknown, message };
      assert.deepEqual(
        rules[0]?.pending.map((each) => each.problem),
        [problem],
      );
      assert.equal(inputs.get("br-a"), undefined);
    });
  });
});
