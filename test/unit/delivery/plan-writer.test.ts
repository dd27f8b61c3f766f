/** What may still be in force on a node while its plan is being written. */
import assert from "node:assert/strict";
import { PlanWriter } from "../../../capabilities/delivery/plan-writer";
import type { KubernetesApi } from "../../../capabilities/engine";
import type { PlanFacts } from "../../../capabilities/planning";
import { VirtualClock } from "../engine/virtual-clock";
import { samplePlan } from "../planning/samples";

const NOTHING = { nodeUID: "uid-node-1", hash: "empty", rules: [], text: () => "{}" };

describe("PlanWriter", () => {
  it("waits for what was in force for a moment, even if the watch tells of the write before its answer does", async () => {
    const brief = samplePlan(["brief"], { hash: "brief" }, { observedHash: NOTHING.hash });
    const after = samplePlan([], { hash: NOTHING.hash, retiring: ["uid-brief"] }, { observedHash: NOTHING.hash });
    let current: PlanFacts = brief;
    let seenByWatch: string[] | undefined;
    const plans = { get: () => current, amend: () => (current = after) };
    const api = {
      apply: () => {
        current = after; // To its hash the plan is confirmed now.
        seenByWatch = writer.nodesUnderWay("uid-brief");
        return Promise.resolve({ ok: true, value: { metadata: {} } });
      },
    };
    const writer = new PlanWriter(api as unknown as KubernetesApi, plans as never, new VirtualClock());
    await writer.write("node-1", NOTHING);
    assert.deepEqual(seenByWatch, ["node-1"]);
    assert.deepEqual(writer.nodesUnderWay("uid-brief"), ["node-1"]);
  });
});
