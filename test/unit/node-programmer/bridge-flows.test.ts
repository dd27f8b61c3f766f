/** Our flows on a bridge while somebody else writes to it. On the real thing, the moments in which he does are met by chance only. */
import assert from "node:assert/strict";
import { fail, ok } from "ovs-ofctl-wrapper";
import type { Appctl, FlowChange, FlowEntry, OpenFlow, Result } from "ovs-ofctl-wrapper";
import { marksThePlan } from "../../../packages/node-programmer/src/pipeline";
import { BridgeFlows } from "../../../packages/node-programmer/src/reconcile/bridge-flows";
import { newVersion } from "../../../packages/node-programmer/src/reconcile/version";

const counted = { packets: 0, bytes: 0 };
const steering = { table: 0, priority: 65535, cookie: 0x5443n << 48n, match: "reg14=0/0x1", actions: "goto_table:240" };
const wanted = [steering, marksThePlan("new")];

/** A fake bridge to which a restore brings an old marker again before some of our bundles: those are refused. */
function restored(before: readonly number[]): { flows: BridgeFlows; bundles: () => number; there: () => FlowEntry[] } {
  let there: FlowEntry[] = [];
  let bundles = 0;
  const openflow = {
    dumpFlows: (): Promise<Result<FlowEntry[]>> => Promise.resolve(ok(there)),
    bundle: (bridge: string, changes: readonly FlowChange[]): Promise<Result<void>> => {
      if (before.includes(++bundles)) {
        there = [{ ...newVersion(marksThePlan("old")), ...counted }];
        const error = { stderr: "OFPT_ERROR (OF1.4): OFPFMFC_OVERLAP" };
        return Promise.resolve(fail(`bundle on ${bridge}`, "refused", error));
      }
      const gone = changes.flatMap((change) => (change.kind === "deleteStrict" ? [change.match] : []));
      const added = changes.flatMap((change) => (change.kind === "add" ? [{ ...change, ...counted }] : []));
      there = [...there.filter(({ match }) => !gone.includes(match)), ...added];
      return Promise.resolve(ok(undefined));
    },
    monitor: () => ({ on: () => undefined, close: () => undefined }),
  } as unknown as OpenFlow;
  const appctl = { command: () => Promise.resolve(ok("")) } as unknown as Appctl;
  const events = {
    restored: () => undefined,
    emptied: () => undefined,
    disturbed: () => undefined,
    changed: () => undefined,
  };
  const flows = new BridgeFlows("br", openflow, appctl, () => Promise.resolve(ok(undefined)), events);
  return { flows, bundles: () => bundles, there: () => there };
}

describe("our flows on a bridge on which somebody restores old ones", () => {
  for (const [title, before] of [
    ["once", [1]],
    ["twice in a row", [1, 2]],
    ["after they were in force, before every packet meets them", [2]],
    ["at both times", [1, 3]],
  ] as const)
    it(`are the wanted ones after one pass: ${title}`, async () => {
      const { flows, there } = restored(before);
      assert.ok((await flows.apply(wanted)).ok);
      assert.ok((await flows.settle(wanted)).ok);
      const found = there().map(
        ({ cookie, match, actions }) => `${cookie} ${match.replace(/^reg0=0\/0x\w+,/, "")} ${actions}`,
      );
      assert.deepEqual(
        found.sort(),
        wanted.map(({ cookie, match, actions }) => `${cookie} ${match} ${actions}`).sort(),
      );
    });

  it("are given up for this pass if he does not stop", async () => {
    const { flows, bundles } = restored(Array.from({ length: 100 }, (_, index) => index + 1));
    const done = await flows.apply(wanted);
    assert.match(done.ok ? "" : done.error.stderr, /OFPFMFC_OVERLAP/);
    assert.equal(bundles(), 4);
  });
});
