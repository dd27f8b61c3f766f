import assert from "node:assert/strict";
import type { NodeTrafficPlan } from "../../../capabilities/api";
import {
  isConfirmed,
  isSameAnswer,
  planFacts,
  retiringAfter,
  significantPlanFacts,
  uidsInForce,
} from "../../../capabilities/planning";
import { samplePlan } from "./samples";

const PLAN: NodeTrafficPlan = {
  metadata: { name: "node-1", uid: "u", resourceVersion: "7" },
  spec: {
    nodeUID: "n",
    hash: "h",
    pods: [{ namespace: "default", name: "a", uid: "p", class: 0 }],
    classes: [{ rules: [0] }],
    rules: [
      {
        name: "tap",
        uid: "t",
        generation: 3,
        direction: "Both",
        action: "Mirror",
        targetPort: { device: { name: "d" } },
      },
    ],
  },
  status: {
    observedHash: "h",
    rules: [{ name: "tap", uid: "t", generation: 3, realizedPods: 1, pendingPods: [], packets: 1, bytes: 60 }],
    conditions: [
      { type: "Ready", status: "True", reason: "Realized", message: "ok", lastTransitionTime: "2026-01-01T00:00:00Z" },
    ],
  },
};

describe("planFacts", () => {
  it("keeps what reconcilers read and drops the Pods", () => {
    const facts = planFacts(PLAN);
    assert.deepEqual(
      [facts.node, facts.hash, facts.rules],
      ["node-1", "h", [{ uid: "t", name: "tap", generation: 3 }]],
    );
    assert.equal(isConfirmed(facts), true);
    assert.ok(!JSON.stringify(facts).includes("default"));
  });
});

describe("significantPlanFacts", () => {
  const significance = (change: (plan: NodeTrafficPlan) => void): string => {
    const plan = structuredClone(PLAN);
    change(plan);
    return JSON.stringify(significantPlanFacts(planFacts(plan)));
  };
  const unchanged = significance(() => undefined);

  it("does not see counters, so that counting wakes nobody", () => {
    const counted = significance(({ metadata, status }) => {
      Object.assign(metadata, { resourceVersion: "8" });
      Object.assign(status!.rules![0]!, { packets: 2, bytes: 120 });
    });
    assert.equal(counted, unchanged);
  });

  for (const [what, change] of [
    ["a new hash", (plan) => (plan.spec.hash = "other")],
    ["a confirmation", (plan) => (plan.status!.observedHash = "other")],
    ["a pending Pod", (plan) => (plan.status!.rules![0]!.pendingCount = 1)],
    ["a problem of a rule", (plan) => (plan.status!.rules![0]!.reason = "TargetPortFailed")],
    ["a condition", (plan) => (plan.status!.conditions![0]!.status = "False")],
  ] as [string, (plan: NodeTrafficPlan) => void][]) {
    it(`sees ${what}`, () => assert.notEqual(significance(change), unchanged));
  }
});

describe("isSameAnswer", () => {
  it("is about what the programmer says, not about what it is told or counts", () => {
    const before = planFacts(PLAN);
    assert.equal(isSameAnswer(before, { ...before, hash: "other", rules: [], resourceVersion: "9" }), true);
    assert.equal(isSameAnswer(before, { ...before, status: { ...before.status, observedHash: "other" } }), false);
    assert.equal(isSameAnswer({ ...before, hash: "other" }, before), false, "an answer that has become true is news");
    assert.equal(isSameAnswer(before, undefined), false);
  });
});

describe("uidsInForce", () => {
  it("are those of the rules once the node has confirmed the plan", () => {
    assert.deepEqual([...uidsInForce(samplePlan(["a"], { retiring: ["uid-b"] }))], ["uid-a"]);
  });

  it("are those of retiring rules as well until then", () => {
    const plan = samplePlan(["a"], { retiring: ["uid-b"] }, { observedHash: "before" });
    assert.deepEqual([...uidsInForce(plan)].sort(), ["uid-a", "uid-b"]);
  });
});

describe("retiringAfter", () => {
  const next = (...names: string[]): { nodeUID: string; rules: { uid: string }[] } => ({
    nodeUID: "uid-node-1",
    rules: names.map((name) => ({ uid: `uid-${name}` })),
  });

  it("is what leaves the plan", () => {
    assert.deepEqual(retiringAfter(samplePlan(["a", "b", "c"]), next("b")), ["uid-a", "uid-c"]);
  });

  it("keeps what has left an earlier plan that the node has never confirmed", () => {
    const before = samplePlan(["b"], { retiring: ["uid-a"] }, { observedHash: "earlier" });
    assert.deepEqual(retiringAfter(before, next()), ["uid-a", "uid-b"]);
  });

  it("drops what the node has confirmed to be gone", () => {
    assert.deepEqual(retiringAfter(samplePlan(["b"], { retiring: ["uid-a"] }), next("b")), []);
  });

  it("does not name what has come back", () => {
    const before = samplePlan([], { retiring: ["uid-a"] }, { observedHash: "earlier" });
    assert.deepEqual(retiringAfter(before, next("a")), []);
  });

  it("is empty for a first plan and for a node that was made anew", () => {
    assert.deepEqual(retiringAfter(undefined, next("a")), []);
    assert.deepEqual(retiringAfter(samplePlan(["a"]), { ...next(), nodeUID: "other" }), []);
  });
});
