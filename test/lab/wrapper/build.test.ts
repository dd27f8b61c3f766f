/** Flows that the builders write are what Open vSwitch's own parser reads: ovs-ofctl parse-flows, no switch needed. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  canonicalActions,
  flow,
  formatActions,
  formatFlow,
  parseActions,
  parseMatch,
} from "../../../packages/ovs-ofctl-wrapper/src/index";
import { actionObjects, matchObject } from "../../support/lab-builders";
import { run } from "../../support/lab/command";

/** Match and actions of `OFPT_FLOW_MOD (OF1.5) (xid=0x1): ADD table:3 priority=9,ip cookie:0x7 actions=drop`. */
const PARSED = /: ADD(?: table:\d+)?(?: priority=(\d+)(?:,(\S+))?| (\S+))?(?: cookie:\S+)?(?: \S+)*? actions=(.*)$/;

describe("ovs-ofctl parse-flows", () => {
  it("reads from a built flow what was put into it", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(matchObject(), actionObjects()), { minLength: 30, maxLength: 60 }),
        async (all) => {
          // pop_vlan asks for a match on a tag, and a second one for another tag.
          const usable = all.map(([match, actions]) => {
            const first =
              typeof match.dl_vlan === "number" ? actions.findIndex((action) => action.do === "pop_vlan") : -1;
            return { match, actions: actions.filter((action, index) => action.do !== "pop_vlan" || index === first) };
          });
          const input = usable
            .map((parts) => formatFlow(flow({ table: 3, priority: 9, cookie: 7n, ...parts })))
            .join("\n");
          const output = await run("ovs-ofctl", ["-O", "OpenFlow15", "parse-flows", "-"], { input: `${input}\n` });
          const lines = output.split("\n").filter((line) => line.includes("FLOW_MOD"));
          assert.equal(lines.length, usable.length);
          for (const [index, line] of lines.entries()) {
            const found = PARSED.exec(line);
            assert.ok(found, line);
            const { match, actions } = usable[index]!;
            assert.deepEqual(parseMatch(found[2] ?? ""), match, line);
            const read = parseActions(found[4]!);
            assert.ok(read, line);
            assert.equal(canonicalActions(formatActions(read)), canonicalActions(formatActions(actions)), line);
          }
        },
      ),
      { numRuns: 10 },
    );
  });
});
