/** The desired state after any history beside one that is made from what there is in the end. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { ReturnPort, TargetPort, TrafficControl, TrafficControlSpec } from "../../../capabilities/api";
import { DesiredState } from "../../../capabilities/desired-state";
import type { NamespaceFacts, PodFacts } from "../../../capabilities/selection";
import { sampleTrafficControl } from "../planning/samples";
import { sampleNamespace, samplePod } from "../selection/samples";

const OPERATOR = new Set(["operator"]);
const NODES = ["node-1", "node-2"];
const ADDRESSES = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];

/** Everything that is there, in the order in which it came. */
class World {
  readonly pods = new Map<string, PodFacts>();
  readonly namespaces = new Map<string, NamespaceFacts>();
  readonly trafficControls = new Map<string, TrafficControl>();

  fromScratch(): DesiredState {
    const desired = new DesiredState(OPERATOR);
    for (const [name, namespace] of this.namespaces) desired.setNamespace(name, namespace);
    for (const [name, trafficControl] of this.trafficControls) desired.setTrafficControl(name, trafficControl);
    for (const [key, pod] of this.pods) desired.setPod(key, pod);
    return desired;
  }
}

type Step =
  | { kind: "pod"; name: string; pod: Partial<PodFacts> | undefined }
  | { kind: "namespace"; name: string; namespace: Partial<NamespaceFacts> | undefined }
  | { kind: "trafficControl"; name: string; trafficControl: TrafficControl | undefined };

const label = fc.constantFrom("web", "db");
const namespaceName = fc.constantFrom("default", "other");
const podStep = fc.record({
  kind: fc.constant("pod" as const),
  name: fc.constantFrom("a", "b", "c", "d"),
  pod: fc.option(
    fc.record({
      namespace: namespaceName,
      node: fc.constantFrom(...NODES),
      labels: fc.record({ app: label, tier: label }, { requiredKeys: [] }),
      addresses: fc.subarray(ADDRESSES),
    }),
    { nil: undefined },
  ),
});
const namespaceStep = fc.record({
  kind: fc.constant("namespace" as const),
  name: namespaceName,
  namespace: fc.option(fc.record({ optsOut: fc.boolean(), labels: fc.record({ team: label }, { requiredKeys: [] }) }), {
    nil: undefined,
  }),
});
const port: fc.Arbitrary<TargetPort & ReturnPort> = fc.oneof(
  fc.constantFrom(...ADDRESSES).map((remoteIP) => ({ vxlan: { remoteIP } })),
  fc.constantFrom("tap0", "tap1").map((name) => ({ ovsInternal: { name } })),
  fc.constantFrom("tap0", "tap1").map((name) => ({ device: { name } })),
);
const selector = fc.oneof(
  fc.constant({}),
  label.map((app) => ({ matchLabels: { app } })),
  label.map((tier) => ({ matchLabels: { tier } })),
);
const trafficControlStep = fc
  .record({
    name: fc.constantFrom("t1", "t2", "t3", "t4"),
    age: fc.integer({ min: 1, max: 3 }),
    podSelector: fc.option(selector, { nil: undefined }),
    target: port,
    back: fc.option(port, { nil: undefined }),
    direction: fc.constantFrom("Both" as const, "Egress" as const, "Ingress" as const),
    hasFinalizer: fc.integer({ min: 0, max: 5 }).map((n) => n > 0),
    state: fc.constantFrom("there", "there", "there", "deleting", "gone"),
  })
  .map(({ name, age, podSelector, target, back, direction, hasFinalizer, state }): Step => {
    const spec: Partial<TrafficControlSpec> = { appliedTo: { podSelector }, targetPort: target, direction };
    if (back !== undefined) Object.assign(spec, { action: "Redirect", returnPort: back });
    const trafficControl = sampleTrafficControl(
      {
        name,
        creationTimestamp: `2026-01-0${age}T00:00:00Z`,
        ...(hasFinalizer ? {} : { finalizers: [] }),
        ...(state === "deleting" ? { deletionTimestamp: "2026-02-01T00:00:00Z" } : {}),
      },
      spec,
    );
    return { kind: "trafficControl", name, trafficControl: state === "gone" ? undefined : trafficControl };
  });

function apply(step: Step, desired: DesiredState, world: World): void {
  const set = <T>(map: Map<string, T>, key: string, value: T | undefined): void => {
    if (value === undefined) map.delete(key);
    else map.set(key, value);
  };
  switch (step.kind) {
    case "pod": {
      // A Pod keeps its Namespace: its key has it.
      const { name } = step;
      const pod = step.pod && samplePod({ ...step.pod, name, namespace: name < "c" ? "default" : "other" });
      const key = `${name < "c" ? "default" : "other"}/${name}`;
      set(world.pods, key, pod);
      desired.setPod(key, pod);
      break;
    }
    case "namespace": {
      const namespace = step.namespace && sampleNamespace({ ...step.namespace, name: step.name });
      set(world.namespaces, step.name, namespace);
      desired.setNamespace(step.name, namespace);
      break;
    }
    case "trafficControl":
      set(world.trafficControls, step.name, step.trafficControl);
      desired.setTrafficControl(step.name, step.trafficControl);
  }
}

/** What a status says that does not come from nodes. */
function standing(desired: DesiredState, trafficControl: TrafficControl): unknown {
  const name = trafficControl.metadata.name ?? "";
  const { nodes, pods, collectors, optedOut } = desired.selectionOf(name);
  return {
    nodes: [...nodes].sort(),
    pods,
    collectors,
    optedOut,
    conflict: desired.conflictOf(trafficControl),
    refusal: desired.refusalOf(trafficControl),
    overruled: desired.overruledBy(trafficControl),
  };
}

describe("DesiredState after any history", function () {
  this.timeout(60_000);

  it("says what one says that has just been filled, and calls dirty whatever has become something else", () => {
    const history = fc.array(fc.oneof(podStep, namespaceStep, trafficControlStep), { maxLength: 40, size: "max" });
    fc.assert(
      fc.property(history, (steps) => {
        const world = new World();
        const desired = new DesiredState(OPERATOR);
        const plansBefore = new Map<string, string>();
        const standingBefore = new Map<string, string>();
        for (const step of steps as Step[]) {
          apply(step, desired, world);
          const fresh = world.fromScratch();
          const dirty = desired.takeDirty();
          for (const node of NODES) {
            const plan = desired.wantedPlan(node, "uid");
            const expected = fresh.wantedPlan(node, "uid");
            assert.equal(plan.text(), expected.text());
            assert.equal(plan.hash, expected.hash);
            if (plan.hash !== (plansBefore.get(node) ?? plan.hash))
              assert.ok(dirty.nodes.has(node), `${node} is dirty`);
            plansBefore.set(node, plan.hash);
          }
          for (const [name, trafficControl] of world.trafficControls) {
            assert.deepEqual(standing(desired, trafficControl), standing(fresh, trafficControl));
            const now = JSON.stringify(standing(desired, trafficControl));
            if (now !== (standingBefore.get(name) ?? now))
              assert.ok(dirty.trafficControls.has(name), `${name} is dirty`);
            standingBefore.set(name, now);
          }
          assert.deepEqual([...desired.deleting()].sort(), [...fresh.deleting()].sort());
          assert.deepEqual([...desired.nodes()].sort(), [...fresh.nodes()].sort());
        }
      }),
      { numRuns: 300 },
    );
  });

  it("gives the same plan until it may be another one", () => {
    const desired = new DesiredState(OPERATOR);
    desired.setNamespace("default", sampleNamespace());
    desired.setTrafficControl("tap", sampleTrafficControl());
    desired.setPod("default/a", samplePod({ name: "a", node: "node-1" }));
    const before = desired.wantedPlan("node-1", "uid");
    desired.setPod("default/b", samplePod({ name: "b", node: "node-2" }));
    assert.equal(desired.wantedPlan("node-1", "uid"), before);
    assert.notEqual(desired.wantedPlan("node-1", "another").hash, before.hash);
    desired.setPod("default/a", samplePod({ name: "a", node: "node-1", uid: "new" }));
    assert.notEqual(desired.wantedPlan("node-1", "uid").hash, before.hash);
  });
});

describe("more tunnels than a plan has room for", function () {
  this.timeout(60_000);

  const nth = (n: number): TrafficControl =>
    sampleTrafficControl(
      { name: `tc-${n}`, creationTimestamp: new Date(Date.UTC(2026, 0, 1) + n * 1_000).toISOString() },
      { targetPort: { gre: { remoteIP: `10.1.${n >> 8}.${n & 255}` } } },
    );
  const rulesOn = (desired: DesiredState): string[] =>
    desired.wantedPlan("node-1", "uid").rules.map(({ name }) => name);

  it("stop nobody but the newest, which says so and comes in when there is room again", () => {
    const desired = new DesiredState(OPERATOR);
    desired.setNamespace("default", sampleNamespace());
    desired.setPod("default/a", samplePod({ name: "a", node: "node-1" }));
    for (let n = 1_001; n >= 0; n--) desired.setTrafficControl(`tc-${n}`, nth(n));
    const names = rulesOn(desired);
    assert.equal(names.length, 1_000);
    assert.ok(!names.includes("tc-1000") && !names.includes("tc-1001"));
    assert.equal(desired.refusalOf(nth(999)), undefined);
    assert.match(desired.refusalOf(nth(1_000))?.message ?? "", /lead to 1000 addresses/);

    const before = desired.wantedPlan("node-1", "uid").hash;
    desired.setPod("default/b", samplePod({ name: "b", node: "node-1" }));
    assert.notEqual(desired.wantedPlan("node-1", "uid").hash, before, "plans go on");

    desired.takeDirty();
    desired.setTrafficControl("tc-5", undefined);
    const dirty = desired.takeDirty();
    assert.ok(dirty.trafficControls.has("tc-1000") && !dirty.trafficControls.has("tc-1001"));
    assert.equal(desired.refusalOf(nth(1_000)), undefined);
    assert.ok(rulesOn(desired).includes("tc-1000"));
  });

  it("are counted as long as their TrafficControl is being deleted: packets may be on their way", () => {
    const desired = new DesiredState(OPERATOR);
    for (let n = 0; n <= 1_000; n++) desired.setTrafficControl(`tc-${n}`, nth(n));
    const last = nth(5);
    desired.setTrafficControl("tc-5", {
      ...last,
      metadata: { ...last.metadata, deletionTimestamp: "2026-02-01T00:00:00Z" },
    });
    assert.match(desired.refusalOf(nth(1_000))?.message ?? "", /lead to 1000 addresses/);
  });
});
