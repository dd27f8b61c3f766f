/** How many addresses tunnels may lead to, as the webhook sees it. */
import assert from "node:assert/strict";
import { format, formatWarning, TunnelEnds } from "../../../capabilities/admission/rules";
import { BASE } from "./cases";

const vxlan = (remoteIP: string, fields: object = {}): object => ({
  ...BASE,
  targetPort: { vxlan: { remoteIP, ...fields } },
});

function three(): TunnelEnds {
  const ends = new TunnelEnds({ most: 3, nearly: 2 });
  ends.put("a", vxlan("10.0.0.1"));
  ends.put("b", vxlan("10.0.0.2"));
  ends.put("c", { ...BASE, targetPort: { gre: { remoteIP: "10.0.0.2" } } });
  return ends;
}

describe("the ends of tunnels", () => {
  it("are refused one by one where there is no room for another", () => {
    assert.deepEqual(three().excess("d", vxlan("10.0.0.4")).map(format), [
      "spec.targetPort.vxlan.remoteIP: Forbidden: the tunnels of this cluster's TrafficControls lead to 3 other addresses, and a node's plan has room for 3 (send to one of those, or delete TrafficControls that are not needed)",
    ]);
  });

  it("are shared whatever the VNI, and with the UDP port that is used where none is written", () => {
    assert.deepEqual(three().excess("d", vxlan("10.0.0.1", { vni: 7, destinationPort: 4789 })), []);
    assert.equal(three().excess("d", vxlan("10.0.0.1", { destinationPort: 4790 })).length, 1);
  });

  it("are given up by an update, if nobody else leads there, and by a deletion", () => {
    assert.deepEqual(three().excess("a", vxlan("10.0.0.9")), []);
    const shared = three();
    shared.put("d", vxlan("10.0.0.1"));
    assert.equal(shared.excess("a", vxlan("10.0.0.9")).length, 1);
    shared.remove("d");
    shared.remove("a");
    assert.deepEqual(shared.excess("e", vxlan("10.0.0.4")), []);
  });

  it("are warned of before that, whoever brings another one", () => {
    const ends = three();
    ends.remove("c");
    assert.deepEqual(ends.scarcity("d", vxlan("10.0.0.1")), []);
    assert.match(
      ends.scarcity("d", vxlan("10.0.0.3")).map(formatWarning).join(),
      /lead to 3 different addresses; beyond 3/,
    );
  });

  it("are a thousand, and of a port without a tunnel none", () => {
    const ends = new TunnelEnds();
    for (let i = 0; i < 1_000; i++) ends.put(`t${i}`, vxlan(`10.1.${i >> 8}.${i & 255}`));
    assert.equal(ends.excess("late", vxlan("10.9.9.9")).length, 1);
    assert.deepEqual(ends.excess("late", { ...BASE, targetPort: { ovsInternal: { name: "tap0" } } }), []);
    assert.deepEqual(ends.excess("late", "nonsense"), []);
  });
});
