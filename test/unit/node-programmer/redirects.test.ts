/** The pipeline of redirects, as values, and what outlives a redirect. That it works is shown on packets, in test/lab. */
import assert from "node:assert/strict";
import { diffFlows, flowKey } from "ovs-ofctl-wrapper";
import { compile, engagedRedirects, slotsInForce } from "../../../packages/node-programmer/src/pipeline";
import type { BridgeInput } from "../../../packages/node-programmer/src/pipeline";
import { Drain } from "../../../packages/node-programmer/src/reconcile/drain";

const mac = (index: number): string =>
  `0a:00:00:00:${(index >> 8).toString(16).padStart(2, "0")}:${(index & 255).toString(16).padStart(2, "0")}`;

/** A bridge with so many Pods, of which each is redirected by one of so many redirects. */
function bridge(pods: number, redirects: number): BridgeInput {
  const all = Array.from({ length: pods }, (_, index) => ({ ofport: index + 1, macs: [mac(index)] }));
  return {
    pipeline: "Switched",
    planHash: "hash",
    taps: [],
    pods: all.map((pod, index) => {
      const number = (index % redirects) + 1;
      return { ...pod, egress: [], ingress: [], vlans: [0], egressRedirect: number, ingressRedirect: number };
    }),
    taggedPorts: [],
    relays: [],
    silentPorts: [5000, 5001],
    carriedTunnels: [],
    redirection: {
      redirects: Array.from({ length: redirects }, (_, index) => ({
        uid: `u${index}`,
        target: 5000,
        number: index + 1,
      })),
      returns: [5001],
      homes: all.map((pod) => ({ ...pod, frames: [0], native: 0, sends: true, receives: true })),
      visitors: [],
    },
  };
}

describe("the pipeline of redirects", () => {
  it("has four flows per Pod, two per redirect and a constant, each in a place of its own", () => {
    const size = (pods: number, redirects: number): number => compile(bridge(pods, redirects)).length;
    const constant = size(2, 1) - 10;
    assert.ok(constant <= 30, `${constant}`);
    for (const [pods, redirects] of [
      [100, 8],
      [500, 30],
    ] as const)
      assert.equal(size(pods, redirects), 4 * pods + 2 * redirects + constant);
    const flows = compile(bridge(20, 3));
    assert.equal(new Set(flows.map(flowKey)).size, flows.length);
  });

  it("says by its flows which redirects act, and by what number: a new programmer goes on with them", () => {
    const flows = compile(bridge(4, 2));
    assert.deepEqual([...engagedRedirects(flows, ["u0", "u1", "u2"])], ["u0", "u1"]);
    assert.deepEqual(
      [...slotsInForce(flows, ["u0", "u1"])],
      [
        ["u0", 0],
        ["u1", 1],
      ],
    );
  });

  it("drops what it cannot inspect while its target is missing", () => {
    const input = bridge(1, 1);
    const lost = compile({
      ...input,
      redirection: { ...input.redirection!, redirects: [{ uid: "u0", target: null, number: 1 }] },
    });
    assert.deepEqual(
      diffFlows(compile(input), lost).flatMap((change) => ("actions" in change ? change.actions : [])),
      ["drop", "drop"],
    );
  });
});

describe("what outlives a redirect", () => {
  const inputs = new Map([["br-int", bridge(1, 1)]]);
  const present = { inputs, ports: new Set(["t", "r"]), uids: new Set(["u0"]) };
  const gone = { inputs: new Map<string, BridgeInput>(), ports: new Set<string>(), uids: new Set<string>() };

  it("is its return side and its ports, for two seconds, and a removal is not complete before", () => {
    const drain = new Drain();
    drain.add(present, "h", 0);
    assert.equal(drain.wait(0), null);
    const first = drain.add(gone, "h", 100);
    drain.begin(100);
    assert.deepEqual([drain.wait(100), first.isRetiring, [...first.ports]], [2000, true, ["t", "r"]]);
    const left = first.inputs.get("br-int")?.redirection;
    assert.deepEqual([left?.redirects, left?.returns], [[], [5001]]);
    drain.add(gone, "h", 2099);
    assert.equal(drain.wait(2099), 1);
    const last = drain.add(gone, "h", 2100);
    assert.deepEqual([drain.wait(2100), last.isRetiring, last.inputs.size], [null, false, 0]);
  });

  it("begins its two seconds when the flows that end it are in force, not when that was decided", () => {
    const drain = new Drain();
    drain.add(present, "h", 0);
    // Open vSwitch refuses, or does not answer: packets go on going into the device.
    for (const now of [100, 1000, 5000]) {
      assert.equal(drain.add(gone, "h", now).isRetiring, true);
      assert.equal(drain.wait(now), 2000);
    }
    drain.add(gone, "h", 9000);
    drain.begin(9500);
    drain.begin(10_000);
    assert.equal(drain.wait(10_000), 1500);
  });

  it("does not hold up the answer when a redirect gets other ports", () => {
    const drain = new Drain();
    drain.add(present, "h", 0);
    const changed = drain.add({ ...present, ports: new Set(["t2", "r2"]) }, "h", 10);
    assert.deepEqual([changed.isRetiring, [...changed.ports]], [false, ["t", "r"]]);
  });

  it("gives an address to the port that has it now, not to the one that had it", () => {
    const drain = new Drain();
    drain.add(present, "h", 0);
    const [home] = inputs.get("br-int")!.redirection!.homes;
    const input = bridge(1, 1);
    const moved = { ...input, redirection: { ...input.redirection!, homes: [{ ...home!, ofport: 7 }] } };
    const { inputs: drained } = drain.add({ ...present, inputs: new Map([["br-int", moved]]) }, "h", 1);
    const homes = drained.get("br-int")?.redirection?.homes.map(({ ofport, macs }) => [ofport, macs]);
    assert.deepEqual(homes, [
      [7, home!.macs],
      [1, []],
    ]);
  });

  it("is nothing after a restart of ovs-vswitchd: port numbers may be others", () => {
    const drain = new Drain();
    drain.add(present, "h", 0);
    drain.forget();
    drain.add(gone, "h", 1);
    assert.equal(drain.wait(1), null);
  });
});
