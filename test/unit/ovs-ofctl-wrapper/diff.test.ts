import assert from "node:assert/strict";
import fc from "fast-check";
import { canonicalActions, diffFlows, flowKey } from "../../../packages/ovs-ofctl-wrapper/src/index";
import type { Flow, FlowChange } from "../../../packages/ovs-ofctl-wrapper/src/index";
import { flow } from "../../support/lab-flows";

const base: Flow = { table: 240, priority: 100, cookie: 1n, match: "ip,in_port=1", actions: "output:2" };
const flows = () => fc.uniqueArray(flow(), { maxLength: 20, selector: flowKey });

/** What a bridge holds after the changes, as OpenFlow defines them. */
function after(current: readonly Flow[], changes: readonly FlowChange[]): Map<string, Flow> {
  const bridge = new Map(current.map((each) => [flowKey(each), each]));
  for (const change of changes) {
    if (change.kind === "add") bridge.set(flowKey(change), change);
    else if (change.kind === "deleteStrict" && bridge.get(flowKey(change))?.cookie === change.cookie)
      bridge.delete(flowKey(change));
  }
  return bridge;
}

describe("diffFlows", () => {
  it("turns what is there into what is wanted, whatever both are", () => {
    fc.assert(
      fc.property(flows(), flows(), flows(), (kept, old, wanted) => {
        const bridge = after([...old, ...kept], diffFlows([...old, ...kept], [...kept, ...wanted]));
        const expected = new Map([...kept, ...wanted].map((each) => [flowKey(each), each]));
        assert.deepEqual([...bridge.keys()].sort(), [...expected.keys()].sort());
        for (const [key, { cookie, actions }] of expected) {
          assert.equal(bridge.get(key)!.cookie, cookie);
          assert.equal(canonicalActions(bridge.get(key)!.actions), canonicalActions(actions));
        }
      }),
    );
  });

  it("asks for nothing when everything is as wanted, however it is spelled", () => {
    assert.deepEqual(diffFlows([{ ...base, match: "in_port=1,ip" }], [base]), []);
    fc.assert(fc.property(flows(), (all) => assert.deepEqual(diffFlows(all, all), [])));
  });

  it("adds over a flow whose actions or time-outs differ, so that its counters stay", () => {
    for (const changed of [
      { ...base, actions: "drop" },
      { ...base, idleTimeout: 5 },
    ])
      assert.deepEqual(diffFlows([base], [changed]), [{ kind: "add", ...changed }]);
  });

  it("adds over a flow that had another cookie with counters that start at 0: they are somebody else's", () => {
    const other = { ...base, cookie: 2n };
    assert.deepEqual(diffFlows([base], [other]), [{ kind: "add", resetCounts: true, ...other }]);
  });

  it("deletes strictly and by cookie what nobody wants", () => {
    const { table, priority, match, cookie } = base;
    assert.deepEqual(diffFlows([base], []), [{ kind: "deleteStrict", table, priority, match, cookie }]);
  });

  it("takes the last of two wanted flows with one identity, as Open vSwitch would", () => {
    const last = { ...base, actions: "drop" };
    assert.deepEqual(diffFlows([], [base, last]), [{ kind: "add", ...last }]);
  });
});
