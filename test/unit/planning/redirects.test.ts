/** Collectors of the whole cluster, and who overrules a Redirect. */
import assert from "node:assert/strict";
import type { Direction, TrafficControl } from "../../../capabilities/api";
import { collectorsOf, overruled, planNode } from "../../../capabilities/planning";
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
    assert.deepEqual(collectorsOf(all), expected);
    assert.deepEqual(collectorsOf(all.reverse()), expected);
  });

  it("change the plan of a node with rules, and of no other", () => {
    const collectors = [{ remoteIP }];
    assert.deepEqual(planNode("uid", [], collectors), planNode("uid", []));
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
      assert.deepEqual(overruled(loser, pods), expected);
    });
});
