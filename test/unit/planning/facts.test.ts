import assert from "node:assert/strict";
import type { NodeTrafficPlan } from "../../../capabilities/api";
import {
  answerOf,
  isConfirmed,
  isSamePlan,
  newsOf,
  planFacts,
  retiringAfter,
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

function changed(change: (plan: NodeTrafficPlan) => void): ReturnType<typeof planFacts> {
  const plan = structuredClone(PLAN);
  change(plan);
  return planFacts(plan);
}

const count = ({ metadata, status }: NodeTrafficPlan): void => {
  Object.assign(metadata, { resourceVersion: "8" });
  Object.assign(status!.rules![0]!, { packets: 2, bytes: 120 });
};

describe("isSamePlan", () => {
  it("does not see counters, so that counting wakes nobody", () => {
    assert.equal(isSamePlan(planFacts(PLAN), changed(count)), true);
  });

  for (const [what, change] of [
    ["another plan of the same name", (plan) => (plan.metadata.uid = "other")],
    ["another node of the same name", (plan) => (plan.spec.nodeUID = "other")],
    ["a new hash", (plan) => (plan.spec.hash = "other")],
    ["a rule's new generation", (plan) => (plan.spec.rules[0]!.generation = 4)],
    ["what retires", (plan) => (plan.spec.retiring = ["x"])],
    ["a confirmation", (plan) => (plan.status!.observedHash = "other")],
    ["a pending Pod", (plan) => (plan.status!.rules![0]!.pendingCount = 1)],
    ["a problem of a rule", (plan) => (plan.status!.rules![0]!.reason = "TargetPortFailed")],
    ["a condition", (plan) => (plan.status!.conditions![0]!.status = "False")],
    ["a bridge", (plan) => (plan.status!.bridges = [{ name: "br", kind: "Unknown" }])],
  ] as [string, (plan: NodeTrafficPlan) => void][]) {
    it(`sees ${what}`, () => assert.equal(isSamePlan(planFacts(PLAN), changed(change)), false));
  }
});

describe("newsOf", () => {
  const news = (
    after: (plan: NodeTrafficPlan) => void,
    before: (plan: NodeTrafficPlan) => void = () => undefined,
  ): unknown => {
    const { all, names, waiting } = newsOf(changed(before), changed(after));
    return { all, names: [...names].sort(), waiting };
  };
  const nothing = { all: false, names: [], waiting: false };

  it("is about what the programmer says, not about what it is told or counts", () => {
    assert.deepEqual(news(count), nothing);
    assert.deepEqual(
      news(({ spec }) => Object.assign(spec, { hash: "other", rules: [] })),
      nothing,
    );
  });

  it("names the TrafficControls whose result has changed, come or gone, and no other", () => {
    const tap = PLAN.status!.rules![0]!;
    const other = { ...tap, name: "other", uid: "o" };
    const gone = { ...tap, name: "gone", uid: "g" };
    assert.deepEqual(
      news(
        ({ status }) => (status!.rules = [tap, { ...other, realizedPods: 7 }]),
        ({ status }) => (status!.rules = [tap, other, gone]),
      ),
      { all: false, names: ["gone", "other"], waiting: false },
    );
  });

  it("is for those who have waited, if the answer has become true", () => {
    assert.deepEqual(
      news(
        () => undefined,
        ({ spec }) => (spec.hash = "other"),
      ),
      { ...nothing, waiting: true },
    );
  });

  it("is for all, if the node as a whole says something else, its answer has lapsed, or there is another plan", () => {
    const all = { ...nothing, all: true };
    assert.deepEqual(
      news(({ status }) => (status!.conditions![0]!.status = "False")),
      all,
    );
    assert.deepEqual(
      news(({ status }) => (status!.observedHash = "other")),
      all,
    );
    assert.deepEqual(
      news(({ metadata }) => (metadata.uid = "other")),
      all,
    );
    assert.equal(newsOf(planFacts(PLAN), undefined).all, true);
  });
});

describe("answerOf", () => {
  it("has what the plan asks for and what the node says about it", () => {
    const { generation, result } = answerOf(planFacts(PLAN), "t");
    assert.deepEqual([generation, result?.realizedPods], [3, 1]);
    assert.deepEqual(answerOf(planFacts(PLAN), "unknown"), {});
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
