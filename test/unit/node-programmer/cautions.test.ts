/** What the condition Untested names. */
import assert from "node:assert/strict";
import type { PlanPod } from "../../../capabilities/api";
import { cautionsOf } from "../../../packages/node-programmer/src/reconcile/cautions";
import { ovsView } from "./views";
import type { PortSketch } from "./views";

const pod = (name: string): PlanPod => ({ namespace: "default", name, uid: name, class: 0 });
function cautions(ports: PortSketch[], more: Parameters<typeof ovsView>[1] = {}, pods: PlanPod[] = []): string[] {
  const view = ovsView({ "br-int": ports, "br-other": [{ name: "d0", type: "dpdk" }] }, more);
  return cautionsOf(view, [view.bridges[0]!], pods);
}

describe("cautions", () => {
  const bond = (mode: string, lacp = false): PortSketch[] => [{ name: "bond0", bond: { mode, lacp } }];
  const cases: [string, string[], RegExp][] = [
    ["a vhost-user port", cautions([{ name: "vhu0", type: "dpdkvhostuserclient" }]), /vhu0: dpdkvhostuserclient/],
    ["a DPDK port", cautions([{ name: "p0", type: "dpdk" }]), /p0: dpdk\)/],
    ["hardware offload", cautions([], { otherConfig: { "hw-offload": "true" } }), /hw-offload/],
    ["a balancing bond", cautions(bond("balance-slb")), /bond0: balance-slb\)/],
    ["LACP", cautions(bond("active-backup", true)), /bond0: active-backup with LACP/],
    ["QinQ", cautions([{ name: "q0", vlanMode: "dot1q-tunnel", tag: 5 }]), /dot1q-tunnel ports \(q0\)/],
    ["an old Open vSwitch", cautions([], { version: "2.13.3" }), /2\.13\.3 is older than 2\.17/],
    ["a virtual machine", cautions([], {}, [pod("virt-launcher-db-x7k2p")]), /default\/virt-launcher-db-x7k2p/],
  ];
  for (const [title, found, wanted] of cases)
    it(`name ${title}, once`, () => {
      assert.equal(found.length, 1);
      assert.match(found[0]!, wanted);
    });

  it("are none for what is tested, and for what is on other bridges", () => {
    const ports = [...bond("active-backup"), { name: "p1", tag: 5, vlanMode: "access" }, { name: "x", type: "patch" }];
    for (const version of ["2.17.9", "3.1.0", "3.5.0"])
      assert.deepEqual(cautions(ports, { version, otherConfig: { "hw-offload": "false" } }, [pod("web")]), []);
  });

  it("name three of many, and how many more", () => {
    const ports = Array.from({ length: 9 }, (_, index) => ({ name: `v${index}`, type: "dpdkvhostuser" }));
    assert.match(cautions(ports)[0]!, /v2: dpdkvhostuser and 6 more\)/);
  });
});
