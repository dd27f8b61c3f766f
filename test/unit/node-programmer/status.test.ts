/** Results as a NodeTrafficPlan's status, and counters that never go back. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { FlowEntry } from "ovs-ofctl-wrapper";
import { REASONS } from "../../../capabilities/api";
import type { PlanPod, PlanRule } from "../../../capabilities/api";
import { KIND, cookie, shortHash } from "../../../packages/node-programmer/src/pipeline";
import { portSpec } from "../../../packages/node-programmer/src/ports";
import type { Outcome } from "../../../packages/node-programmer/src/reconcile";
import { Counters, sameStatus, statusOf, unreachable } from "../../../packages/node-programmer/src/status";

const rule: PlanRule = {
  name: "web",
  uid: "u1",
  generation: 3,
  direction: "Both",
  action: "Mirror",
  targetPort: { ovsInternal: { name: "tap0" } },
};
const pod = (name: string): PlanPod => ({ namespace: "default", name, uid: name, class: 0 });
const now = new Date("2026-01-02T03:04:05.678Z");
const done: Outcome = {
  plan: { nodeUID: "n", hash: "abc", pods: [pod("a"), pod("b")], rules: [rule], classes: [{ rules: [0] }] },
  bridges: [{ name: "br-int", kind: "Switched", datapath: "netdev", flows: 20 }],
  ports: [{ spec: portSpec(rule.targetPort), bridge: "br-int", ofport: 7 }],
  rules: [{ rule, problem: null, realized: 2, pending: [] }],
  realizedPods: 2,
  failures: [],
  cautions: [],
  waiting: false,
  draining: null,
  isRetiring: false,
  changes: 3,
  repairs: 0,
};
const none = (): undefined => undefined;
const status = (outcome: Outcome, previous?: ReturnType<typeof statusOf>): ReturnType<typeof statusOf> =>
  statusOf({ outcome, previous, now, repairs: 0, countOf: none });

describe("the status of a plan", () => {
  it("does not confirm a plan while return flows and ports of a redirect that has left it are still there", () => {
    const former = { ...status(done), observedHash: "before" };
    const still = status({ ...done, draining: 900, isRetiring: true }, former);
    assert.equal(still.observedHash, "before");
    assert.equal(still.realizedPods, 2, "what the plan wants is in force");
    assert.equal(
      status({ ...done, draining: 900 }, former).observedHash,
      "abc",
      "a change is: the new ports are in use",
    );
  });

  it("has a condition for what has not been tried around the taps, and none without", () => {
    const types = (outcome: Outcome): string[] => (status(outcome).conditions ?? []).map(({ type }) => type);
    assert.deepEqual(types(done), ["Ready"]);
    const careful = status({ ...done, cautions: ["One.", "Two."] });
    const [ready, untested] = careful.conditions ?? [];
    assert.equal(ready?.status, "True");
    assert.deepEqual([untested?.type, untested?.status, untested?.message], ["Untested", "True", "One. Two."]);
    assert.ok(sameStatus(careful, status({ ...done, cautions: ["One.", "Two."] }, careful)));
  });

  it("says how often something was put right, once there is something to say", () => {
    assert.equal("repairs" in status(done), false);
    assert.equal(statusOf({ outcome: done, previous: undefined, now, repairs: 2, countOf: none }).repairs, 2);
  });

  it("confirms the hash, and names bridges, ports and rules", () => {
    assert.deepEqual(status(done), {
      observedHash: "abc",
      realizedPods: 2,
      bridges: [{ name: "br-int", kind: "Switched", datapath: "netdev", flows: 20 }],
      ports: [{ name: "tap0", bridge: "br-int", kind: "internal", ofport: 7 }],
      rules: [{ name: "web", uid: "u1", generation: 3, realizedPods: 2, pendingPods: [] }],
      conditions: [
        {
          type: "Ready",
          status: "True",
          lastTransitionTime: "2026-01-02T03:04:05Z",
          reason: REASONS.realized,
          message: "All 2 Pods are tapped as the plan says.",
        },
      ],
    });
  });

  it("lists up to ten pending Pods and how many there are in all", () => {
    const problem = { reason: REASONS.noOVSPort, message: "no port" };
    const pending = Array.from({ length: 12 }, (_, index) => ({ pod: pod(`p${index}`), problem }));
    const result = status({ ...done, realizedPods: 0, rules: [{ rule, problem: null, realized: 0, pending }] });
    assert.equal(result.rules?.[0]?.pendingPods.length, 10);
    assert.equal(result.rules[0].pendingCount, 12);
    assert.equal(result.observedHash, "abc", "the plan has been acted on all the same");
    assert.deepEqual([result.conditions?.[0]?.status, result.conditions?.[0]?.reason], ["False", REASONS.podsPending]);
  });

  it("says of a rule as a whole why it is not in force", () => {
    const problem = { reason: REASONS.targetPortMissing, message: "There is no device x." };
    const result = status({ ...done, realizedPods: 0, rules: [{ rule, problem, realized: 0, pending: [] }] });
    assert.deepEqual([result.rules?.[0]?.reason, result.rules?.[0]?.message], [problem.reason, problem.message]);
    assert.equal(result.conditions?.[0]?.reason, REASONS.targetPortMissing);
  });

  it("does not confirm a plan that Open vSwitch refused", () => {
    const before = status(done);
    const result = status(
      { ...done, plan: { ...done.plan, hash: "new" }, failures: ["Bridge br-int: no answer"] },
      before,
    );
    assert.equal(result.observedHash, "abc");
    assert.deepEqual(
      [result.conditions?.[0]?.reason, result.conditions?.[0]?.message],
      [REASONS.ovsUnreachable, "Bridge br-int: no answer"],
    );
  });

  it("keeps the time of a condition that has not changed, and what was said before while nothing can be known", () => {
    const before = status(done);
    const later = new Date("2026-01-02T04:00:00Z");
    const again = statusOf({ outcome: done, previous: before, now: later, repairs: 0, countOf: none });
    assert.ok(sameStatus(before, again));
    const lost = unreachable(before, "gone", later);
    assert.equal(lost.conditions?.[0]?.lastTransitionTime, "2026-01-02T04:00:00Z");
    assert.deepEqual({ ...lost, conditions: [] }, { ...before, conditions: [] });
  });

  it("is the same whatever the order of its keys", () => {
    assert.ok(sameStatus({ realizedPods: 1, observedHash: "a" }, { observedHash: "a", realizedPods: 1 }));
    assert.ok(!sameStatus({ realizedPods: 1 }, { realizedPods: 2 }));
    assert.ok(!sameStatus(undefined, {}));
  });
});

describe("a rule's counters", () => {
  const copies = (packets: number, uid = "u1"): FlowEntry => ({
    table: 245,
    priority: 1,
    cookie: cookie(KIND.copy, shortHash(uid)),
    match: "",
    actions: "",
    packets,
    bytes: packets * 100,
  });

  /** Counters of bridges on which there was nothing of ours at first. */
  function started(...bridges: string[]): Counters {
    const counters = new Counters();
    for (const bridge of bridges) counters.observe(bridge, []);
    return counters;
  }

  it("sum what its copy flows counted on all bridges", () => {
    const counters = new Counters();
    counters.observe("br-a", [copies(3)]);
    counters.observe("br-b", [copies(4), { ...copies(9), cookie: cookie(KIND.source) }]);
    assert.deepEqual(counters.of("u1"), { packets: 7, bytes: 700 });
    assert.equal(counters.of("u2"), undefined);
  });

  it("go on over a restart of ovs-vswitchd, which starts its counters at 0", () => {
    const counters = started("br-a");
    counters.observe("br-a", [copies(10)]);
    counters.observe("br-a", [copies(2)]);
    assert.deepEqual(counters.of("u1"), { packets: 12, bytes: 1200 });
  });

  it("go on over a restart after which more was counted than before", () => {
    const counters = started("br-a");
    counters.observe("br-a", [copies(10)]);
    counters.observe("br-a", []);
    counters.observe("br-a", [copies(25)]);
    assert.deepEqual(counters.of("u1"), { packets: 35, bytes: 3500 });
  });

  it("count nothing twice when one of several bridges loses its flows", () => {
    const counters = started("br-a", "br-b");
    counters.observe("br-a", [copies(10)]);
    counters.observe("br-b", [copies(100)]);
    counters.observe("br-a", []);
    counters.observe("br-b", [copies(101)]);
    counters.observe("br-a", [copies(1)]);
    assert.deepEqual(counters.of("u1"), { packets: 112, bytes: 11200 });
  });

  it("do not take over what another rule has counted in the same place", () => {
    const counters = started("br-a");
    counters.observe("br-a", [copies(10)]);
    counters.observe("br-a", [copies(2, "u2")]);
    assert.deepEqual([counters.of("u1")?.packets, counters.of("u2")?.packets], [10, 2]);
  });

  it("never show less than a former programmer has published", () => {
    const counters = new Counters();
    counters.seed("u1", { packets: 50, bytes: 5000 });
    assert.deepEqual(counters.of("u1"), { packets: 50, bytes: 5000 });
    counters.observe("br-a", [copies(60)]);
    assert.deepEqual(counters.of("u1"), { packets: 60, bytes: 6000 });
  });

  it("go on from what a former programmer has published, though the flows have counted less", () => {
    const counters = new Counters();
    counters.seed("u1", { packets: 50, bytes: 5000 });
    counters.observe("br-a", [copies(10)]);
    assert.deepEqual(counters.of("u1"), { packets: 50, bytes: 5000 });
    counters.observe("br-a", [copies(13)]);
    assert.deepEqual(counters.of("u1"), { packets: 53, bytes: 5300 });
  });

  it("go on from what a former programmer has published when ovs-vswitchd was restarted without one", () => {
    const counters = new Counters();
    counters.seed("u1", { packets: 50, bytes: 5000 });
    counters.observe("br-a", []);
    counters.observe("br-a", [copies(13)]);
    assert.deepEqual(counters.of("u1"), { packets: 63, bytes: 6300 });
  });

  it("never go back, and miss nothing that was seen", () => {
    const looks = fc.array(fc.tuple(fc.constantFrom("br-a", "br-b"), fc.option(fc.nat(1000))), { minLength: 1 });
    fc.assert(
      fc.property(looks, (samples) => {
        const counters = started("br-a", "br-b");
        let last = 0;
        let seen = 0;
        const before = new Map<string, number>();
        for (const [bridge, sample] of samples) {
          counters.observe(bridge, sample === null ? [] : [copies(sample)]);
          const was = before.get(bridge) ?? 0;
          seen += sample === null ? 0 : sample >= was ? sample - was : sample;
          before.set(bridge, sample ?? 0);
          const shown = counters.of("u1")?.packets ?? 0;
          assert.ok(shown >= last);
          assert.equal(shown, seen);
          last = shown;
        }
      }),
    );
  });
});
