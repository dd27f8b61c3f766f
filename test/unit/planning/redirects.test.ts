/** Collectors of the whole cluster, and who overrules a Redirect. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Direction, TrafficControl } from "../../../capabilities/api";
import { overruled, planNode, TunnelIndex, tunnelsOf } from "../../../capabilities/planning";
import { sampleTrafficControl } from "./samples";

describe("collectors", () => {
  const remoteIP = "10.0.0.9";

  it("are the ends of all tunnels, target and return, each once, in an order and spelling of their own", () => {
    const all = [
      sampleTrafficControl({ name: "b" }, { targetPort: { vxlan: { remoteIP } } }),
      sampleTrafficControl({ name: "a" }, { targetPort: { vxlan: { remoteIP, vni: 5 } } }),
      sampleTrafficControl(
        { name: "c" },
        { action: "Redirect", targetPort: { geneve: { remoteIP: "FD00:0::1" } }, returnPort: { gre: { remoteIP } } },
      ),
      sampleTrafficControl({ name: "d" }, { targetPort: { ovsInternal: { name: "tap0" } } }),
    ];
    const expected = [{ remoteIP }, { remoteIP, udpPort: 4789 }, { remoteIP: "fd00::1", udpPort: 6081 }];
    assert.deepEqual(tunnelsOf(all), { collectors: expected, withoutRoom: new Set() });
    assert.deepEqual(tunnelsOf(all.reverse()).collectors, expected);
  });

  it("change the plan of a node with rules, and of no other", () => {
    const collectors = [{ remoteIP }];
    assert.equal(planNode("uid", [], collectors).text(), planNode("uid", []).text());
  });
});

describe("tunnels for which there is no room", function () {
  this.timeout(30_000);

  const nth = (n: number, remoteIP: string): TrafficControl =>
    sampleTrafficControl(
      { name: `tc-${n}`, creationTimestamp: `2026-01-01T00:00:0${n}Z` },
      { targetPort: { gre: { remoteIP } } },
    );

  it("are those of the newest; who shares an end with an older one has room", () => {
    const all = [nth(1, "10.0.0.1"), nth(2, "10.0.0.2"), nth(3, "10.0.0.3"), nth(4, "10.0.0.1")];
    const { collectors, withoutRoom } = tunnelsOf(all.reverse(), 2);
    assert.deepEqual(collectors, [{ remoteIP: "10.0.0.1" }, { remoteIP: "10.0.0.2" }]);
    assert.deepEqual([...withoutRoom], ["uid-tc-3"]);
  });

  it("are after any history what they are from scratch", () => {
    const step = fc.record({
      n: fc.integer({ min: 0, max: 9 }),
      end: fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const index = new TunnelIndex(3);
        const model = new Map<string, TrafficControl>();
        for (const { n, end } of steps) {
          const trafficControl = end === undefined ? undefined : nth(n, `10.0.0.${end}`);
          index.set(`tc-${n}`, trafficControl);
          if (trafficControl === undefined) model.delete(`tc-${n}`);
          else model.set(`tc-${n}`, trafficControl);
          assert.deepEqual(index.tunnels(), tunnelsOf(model.values(), 3));
        }
      }),
    );
  });
});

describe("a Redirect is overruled", () => {
  const nth = (n: number, direction: Direction, action: "Mirror" | "Redirect" = "Redirect"): TrafficControl =>
    sampleTrafficControl({ name: `tc-${n}`, creationTimestamp: `2026-01-0${n}T00:00:00Z` }, { direction, action });
  const cases: [string, TrafficControl, TrafficControl[][], { winner: string; pods: number } | undefined][] = [
    ["by nobody, if it is the oldest", nth(1, "Both"), [[nth(1, "Both"), nth(2, "Both")]], undefined],
    [
      "by an older one, on the Pods of both",
      nth(2, "Both"),
      [[nth(1, "Egress")], [nth(3, "Both")]],
      { winner: "tc-1", pods: 1 },
    ],
    ["not in the other direction", nth(2, "Ingress"), [[nth(1, "Egress")]], undefined],
    ["not by a Mirror", nth(2, "Both"), [[nth(1, "Both", "Mirror")]], undefined],
    [
      "by several: the oldest is named, each Pod counts once",
      nth(4, "Both"),
      [[nth(2, "Ingress"), nth(1, "Egress")], [nth(2, "Ingress")]],
      { winner: "tc-1", pods: 2 },
    ],
  ];
  for (const [what, loser, pods, expected] of cases)
    it(what, () => {
      const groups = pods.map((redirects) => ({ pods: 1, redirects }));
      assert.deepEqual(overruled(loser, groups), expected);
    });
});
