import assert from "node:assert/strict";
import fc from "fast-check";
import type { PlanSpec } from "../../../capabilities/api";
import {
  canonicalJson,
  hashOf,
  planNode as planAsText,
  precedence,
  specText,
  type Collector,
  type Plan,
  type PlannedPod,
} from "../../../capabilities/planning";
import { samplePod } from "../selection/samples";
import { sampleTrafficControl } from "./samples";

const old = sampleTrafficControl({ name: "old", creationTimestamp: "2026-01-01T00:00:00Z" });
const younger = sampleTrafficControl({ name: "a-younger", creationTimestamp: "2026-01-02T00:00:00Z" });
const twin = sampleTrafficControl({ name: "older-twin", creationTimestamp: "2026-01-01T00:00:00Z" });

function specOf(plan: Plan): PlanSpec {
  return JSON.parse(specText(plan, [])) as PlanSpec;
}

function planNode(nodeUID: string, selected: readonly PlannedPod[], collectors?: readonly Collector[]): PlanSpec {
  return specOf(planAsText(nodeUID, selected, collectors));
}

describe("precedence", () => {
  it("puts the older first, and of two of the same second the one whose name comes first", () => {
    assert.deepEqual(
      [younger, twin, old].sort(precedence).map(({ metadata }) => metadata.name),
      ["old", "older-twin", "a-younger"],
    );
  });
});

describe("planNode", function () {
  this.timeout(30_000);

  it("lists rules in order of precedence, Pods by Namespace and name, and each set of rules once", () => {
    const plan = planNode("node-uid", [
      { pod: samplePod({ name: "b" }), trafficControls: [younger, old] },
      { pod: samplePod({ name: "a" }), trafficControls: [younger] },
      { pod: samplePod({ name: "c", namespace: "a-first" }), trafficControls: [old, younger] },
    ]);
    assert.deepEqual(
      plan.rules.map(({ name }) => name),
      ["old", "a-younger"],
    );
    assert.deepEqual(plan.classes, [{ rules: [0, 1] }, { rules: [1] }]);
    assert.deepEqual(
      plan.pods.map(({ namespace, name, class: number }) => `${namespace}/${name} ${number}`),
      ["a-first/c 0", "default/a 1", "default/b 0"],
    );
  });

  it("names what the programmer finds a Pod by, and leaves out what is not known", () => {
    const pods: PlannedPod[] = [
      { pod: samplePod({ name: "a", addresses: [], macs: [] }), trafficControls: [old] },
      {
        pod: samplePod({ name: "b", addresses: ["10.0.0.1"], macs: ["02:00:00:00:00:01"], interfaces: ["eth0"] }),
        trafficControls: [old],
      },
    ];
    assert.deepEqual(planNode("node-uid", pods).pods, [
      { namespace: "default", name: "a", uid: "uid-a", class: 0 },
      {
        namespace: "default",
        name: "b",
        uid: "uid-b",
        addresses: ["10.0.0.1"],
        interfaces: ["eth0"],
        macs: ["02:00:00:00:00:01"],
        class: 0,
      },
    ]);
  });

  it("is empty without Pods, and leaves out Pods without rules", () => {
    const empty = planNode("node-uid", []);
    assert.deepEqual([empty.pods, empty.rules, empty.classes], [[], [], []]);
    assert.deepEqual(planNode("node-uid", [{ pod: samplePod(), trafficControls: [] }]), empty);
  });

  it("is canonical JSON, whatever is in it", () => {
    const text = fc.string({ maxLength: 8 });
    const pod = fc.record({
      name: text,
      addresses: fc.array(text, { maxLength: 2 }),
      macs: fc.array(text, { maxLength: 2 }),
      interfaces: fc.option(fc.array(text, { maxLength: 2 }), { nil: undefined }),
      created: fc.option(fc.nat(), { nil: undefined }),
      staticUID: fc.option(text, { nil: undefined }),
    });
    const selected = fc.array(fc.tuple(pod, fc.subarray([old, younger, twin])), { maxLength: 5 });
    fc.assert(
      fc.property(text, selected, fc.array(text, { maxLength: 2 }), (nodeUID, pods, ends) => {
        const plan = planAsText(
          nodeUID,
          pods.map(([facts, trafficControls]) => ({ pod: samplePod(facts), trafficControls })),
          ends.map((remoteIP) => ({ remoteIP })),
        );
        assert.equal(plan.text(), canonicalJson(JSON.parse(plan.text())));
        assert.deepEqual(
          plan.rules,
          specOf(plan).rules.map(({ uid, name, generation }) => ({ uid, name, generation })),
        );
      }),
    );
  });

  it("hashes exactly nodeUID, pods, rules and classes", () => {
    const { hash, ...rest } = planNode("node-uid", [{ pod: samplePod(), trafficControls: [old] }]);
    assert.match(hash, /^[0-9a-f]{32}$/);
    assert.equal(hash, hashOf(rest));
  });

  it("has another hash for another node, Pod, generation, port or direction", () => {
    const plan = (uid: string, pod = samplePod(), trafficControl = old): string =>
      planNode(uid, [{ pod, trafficControls: [trafficControl] }]).hash;
    const hashes = [
      plan("1"),
      plan("2"),
      plan("1", samplePod({ uid: "other" })),
      plan("1", samplePod(), sampleTrafficControl({ name: "old", generation: 2 })),
      plan("1", samplePod(), sampleTrafficControl({ name: "old" }, { direction: "Egress" })),
      plan(
        "1",
        samplePod(),
        sampleTrafficControl({ name: "old" }, { targetPort: { vxlan: { remoteIP: "10.0.10.2", vni: 1 } } }),
      ),
    ];
    assert.equal(new Set(hashes).size, hashes.length);
  });

  it("is the same for two spellings of one address", () => {
    const spelled = (remoteIP: string): string =>
      planNode("1", [
        { pod: samplePod(), trafficControls: [sampleTrafficControl({}, { targetPort: { gre: { remoteIP } } })] },
      ]).hash;
    assert.equal(spelled("2001:DB8::0:1"), spelled("2001:db8:0:0::1"));
    assert.equal(spelled("::ffff:10.0.0.1"), spelled("10.0.0.1"));
  });

  it("is byte for byte the same in whatever order its inputs come", () => {
    const trafficControls = Array.from({ length: 5 }, (_, i) =>
      sampleTrafficControl({ name: `t${i}`, creationTimestamp: `2026-01-0${1 + (i % 3)}T00:00:00Z` }),
    );
    const pods = Array.from({ length: 6 }, (_, i) => samplePod({ name: `p${i}`, namespace: i % 2 ? "a" : "b" }));
    const chosen = fc.tuple(...pods.map(() => fc.subarray(trafficControls)));
    fc.assert(
      fc.property(chosen, fc.integer(), (sets, seed) => {
        const selected = pods.map((pod, i) => ({ pod, trafficControls: sets[i]! }));
        const shuffled = [...selected]
          .sort((a, b) => hashOf([a.pod.name, seed]).localeCompare(hashOf([b.pod.name, seed])))
          .map(({ pod, trafficControls: rules }) => ({ pod, trafficControls: [...rules].reverse() }));
        assert.equal(JSON.stringify(planNode("n", shuffled)), JSON.stringify(planNode("n", selected)));
      }),
    );
  });
});

describe("a plan in which there is no room for all", function () {
  this.timeout(30_000);

  const many = (count: number): PlannedPod[] =>
    Array.from({ length: count }, (_, i) => ({ pod: samplePod({ name: `p${i}` }), trafficControls: [old] }));
  const aged = (count: number, prefix = "t"): ReturnType<typeof sampleTrafficControl>[] =>
    Array.from({ length: count }, (_, i) => {
      const creationTimestamp = new Date(Date.UTC(2026, 0, 2) + i * 1_000).toISOString();
      return sampleTrafficControl({ name: `${prefix}${i}`, creationTimestamp });
    });

  it("has room for 250 Pods and 300 rules, within 512 KiB", () => {
    const rules = aged(300, "traffic-control-");
    const plan = planAsText(
      "n",
      Array.from({ length: 250 }, (_, i) => ({
        pod: samplePod({ name: `pod-with-a-long-name-${i}` }),
        trafficControls: rules,
      })),
    );
    assert.equal(plan.leftOut, undefined);
    assert.ok(plan.text().length < 512 * 1024);
  });

  it("has the oldest 1000 TrafficControls, says whom it leaves out, and is what it would be without them", () => {
    const rules = aged(1_003);
    const plan = planAsText("n", [{ pod: samplePod(), trafficControls: [...rules].reverse() }]);
    assert.deepEqual([...plan.leftOut!.uids].sort(), ["uid-t1000", "uid-t1001", "uid-t1002"]);
    assert.match(plan.leftOut!.message, /^1003 TrafficControls act on the node; a plan holds 1000\. The oldest 1000/);
    assert.equal(plan.text(), planAsText("n", [{ pod: samplePod(), trafficControls: rules.slice(0, 1_000) }]).text());
  });

  it("leaves out the TrafficControl that selects too many Pods, and no older one", () => {
    const selected = many(1_001).map(({ pod }, i) => ({ pod, trafficControls: i === 0 ? [old, younger] : [younger] }));
    const plan = planAsText("n", selected);
    assert.match(plan.leftOut!.message, /^1001 Pods/);
    assert.deepEqual(
      specOf(plan).pods.map(({ name }) => name),
      ["p0"],
    );
  });

  it("is no longer than etcd takes", () => {
    const rules = aged(500);
    const selected = many(1_000).map(({ pod }, i) => ({
      pod,
      trafficControls: rules.filter((_rule, j) => ((Math.imul(i + 1, Math.imul(j + 7, 0x9e3779b1)) >>> 13) & 1) === 0),
    }));
    const plan = planAsText("n", selected);
    assert.match(plan.leftOut!.message, /bytes/);
    const bytes = Buffer.byteLength(plan.text());
    assert.ok(bytes <= 1024 * 1024 && bytes > 900 * 1024, `${bytes} bytes`);
  });
});
