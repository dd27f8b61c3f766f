import assert from "node:assert/strict";
import fc from "fast-check";
import type { ReturnPort, TargetPort, TrafficControl } from "../../../capabilities/api";
import { ConflictIndex, conflictsAmong } from "../../../capabilities/planning";
import { sampleTrafficControl } from "./samples";

/** The n-th TrafficControl, each younger than the one before. */
function nth(n: number, targetPort: TargetPort, returnPort?: ReturnPort): TrafficControl {
  const metadata = { name: `tc-${n}`, creationTimestamp: `2026-01-0${n}T00:00:00Z` };
  return sampleTrafficControl(metadata, {
    targetPort,
    returnPort,
    action: returnPort === undefined ? "Mirror" : "Redirect",
  });
}

function losers(...trafficControls: TrafficControl[]): Record<string, string> {
  const conflicts = conflictsAmong(trafficControls);
  return Object.fromEntries([...conflicts].map(([uid, { winner }]) => [uid.replace("uid-", ""), winner]));
}

const internal = (name: string): { ovsInternal: { name: string } } => ({ ovsInternal: { name } });
const device = (name: string): { device: { name: string } } => ({ device: { name } });
const remoteIP = "10.0.0.1";

describe("conflictsAmong", () => {
  for (const [what, trafficControls, expected] of [
    ["two mirrors may share a port", [nth(1, internal("a")), nth(2, internal("a"))], {}],
    ["a name is ovsInternal or device", [nth(1, internal("a")), nth(2, device("a"))], { "tc-2": "tc-1" }],
    ["the oldest wins, whatever the order", [nth(2, device("a")), nth(1, internal("a"))], { "tc-2": "tc-1" }],
    [
      "a port is a target or a return port",
      [nth(1, internal("a")), nth(2, internal("b"), internal("a"))],
      { "tc-2": "tc-1" },
    ],
    [
      "a port gets copies or redirected packets, because what an inspection device gets comes back",
      [nth(1, internal("a")), nth(2, internal("a"), internal("b"))],
      { "tc-2": "tc-1" },
    ],
    [
      "two redirects may share both ports",
      [nth(1, internal("a"), internal("b")), nth(2, internal("a"), internal("b"))],
      {},
    ],
    [
      "the same for a tunnel",
      [nth(1, { gre: { remoteIP } }), nth(2, internal("b"), { gre: { remoteIP } })],
      { "tc-2": "tc-1" },
    ],
    [
      "tunnels that differ in their key are two",
      [nth(1, { gre: { remoteIP } }), nth(2, internal("b"), { gre: { remoteIP, key: 1 } })],
      {},
    ],
    ["a one-armed device is target and return port at once", [nth(1, internal("a"), internal("a"))], {}],
    [
      "two TrafficControls may share a one-armed device",
      [nth(1, internal("a"), internal("a")), nth(2, internal("a"), internal("a"))],
      {},
    ],
    [
      "a one-armed device is no target of another",
      [nth(1, internal("a"), internal("a")), nth(2, internal("a"))],
      { "tc-2": "tc-1" },
    ],
    [
      "an ERSPAN session has one version",
      [nth(1, { erspan: { remoteIP, version: 1 } }), nth(2, { erspan: { remoteIP, version: 2 } })],
      { "tc-2": "tc-1" },
    ],
    [
      "an ERSPAN session has one index, and the address may be spelled in two ways",
      [
        nth(1, { erspan: { remoteIP: "fd00::1", version: 1, index: 1 } }),
        nth(2, { erspan: { remoteIP: "FD00:0::1", version: 1, index: 2 } }),
      ],
      { "tc-2": "tc-1" },
    ],
    [
      "another session ID is another session",
      [nth(1, { erspan: { remoteIP, version: 1 } }), nth(2, { erspan: { remoteIP, version: 2, sessionID: 1 } })],
      {},
    ],
    [
      "who has lost blocks nobody",
      [nth(1, internal("a")), nth(2, internal("c"), device("a")), nth(3, device("c"))],
      { "tc-2": "tc-1" },
    ],
    [
      "who is being deleted blocks nobody",
      [
        {
          ...nth(1, internal("a")),
          metadata: { ...nth(1, internal("a")).metadata, deletionTimestamp: "2026-01-05T00:00:00Z" },
        },
        nth(2, device("a")),
      ],
      {},
    ],
  ] as [string, TrafficControl[], Record<string, string>][]) {
    it(what, () => assert.deepEqual(losers(...trafficControls), expected));
  }

  it("says in one sentence who has won what", () => {
    const [conflict] = conflictsAmong([nth(1, internal("tap0")), nth(2, device("tap0"))]).values();
    assert.equal(
      conflict?.message,
      "TrafficControl tc-1, which is older, uses port tap0 as ovsInternal, this one as device.",
    );
  });
});

describe("ConflictIndex", function () {
  this.timeout(30_000);

  it("says after any history what conflictsAmong says of all", () => {
    const port = fc.oneof(
      fc.constantFrom("a", "b", "c").map(internal),
      fc.constantFrom("a", "b", "c").map(device),
      fc.record({ version: fc.constantFrom(1, 2), index: fc.constantFrom(0, 1) }).map(({ version, index }) => {
        return { erspan: { remoteIP, version, ...(version === 1 ? { index } : {}) } };
      }),
    );
    const wanted = fc.option(
      fc.record({
        target: port,
        back: fc.option(fc.constantFrom("a", "b", "c").map(internal), { nil: undefined }),
        isDeleting: fc.boolean(),
      }),
      { nil: undefined },
    );
    const steps = fc.array(fc.tuple(fc.integer({ min: 1, max: 7 }), wanted), { maxLength: 40 });
    fc.assert(
      fc.property(steps, (history) => {
        const index = new ConflictIndex();
        const model = new Map<string, TrafficControl>();
        for (const [n, want] of history) {
          const name = `tc-${n}`;
          const made = want && nth(n, want.target as TargetPort, want.back);
          if (made !== undefined && want?.isDeleting === true)
            made.metadata = { ...made.metadata, deletionTimestamp: "2026-02-01T00:00:00Z" };
          index.set(name, made);
          if (made === undefined) model.delete(name);
          else model.set(name, made);
          assert.deepEqual(new Map(index.conflicts()), conflictsAmong(model.values()));
        }
      }),
    );
  });
});
