/** Finding the Pods' ports. */
import assert from "node:assert/strict";
import { REASONS } from "../../../capabilities/api";
import type { PlanPod } from "../../../capabilities/api";
import { findPods, vlansOf } from "../../../packages/node-programmer/src/pods";
import type { FoundPod } from "../../../packages/node-programmer/src/pods";
import { OURS, ovsView, podPort, portView } from "./views";

const pod: PlanPod = { namespace: "default", name: "web-1", uid: "uid-1", class: 0 };
const portsOf = (found: FoundPod | undefined): string[] =>
  found?.ports.map(({ port, ofport }) => `${port.name}:${ofport}`) ?? [];
const gone = (): null => null;

describe("a Pod's ports", () => {
  it("are those whose rows carry its UID, on every bridge", () => {
    const view = ovsView({
      "br-int": [podPort("v1", "uid-1", { ofport: 3 }), podPort("v2", "uid-2", { ofport: 4 })],
      "br-data": [podPort("v3", "uid-1", { ofport: 9, iface: "net1" })],
    });
    const [found] = findPods([pod], view, gone);
    assert.deepEqual(portsOf(found), ["v1:3", "v3:9"]);
    assert.equal(found?.problem, null);
  });

  it("are only the named interfaces if the plan names some", () => {
    const view = ovsView({
      "br-int": [podPort("v1", "uid-1", { ofport: 3 }), podPort("v3", "uid-1", { ofport: 9, iface: "net1" })],
    });
    assert.deepEqual(portsOf(findPods([{ ...pod, interfaces: ["net1"] }], view, gone)[0]), ["v3:9"]);
    const [none] = findPods([{ ...pod, interfaces: ["net2"] }], view, gone);
    assert.equal(none?.problem?.reason, REASONS.noOVSPort);
    assert.match(none.problem.message, /no Open vSwitch port for net2; it has eth0, net1/);
  });

  it("are none for a Pod that is not on Open vSwitch, and the message says so", () => {
    const [found] = findPods([pod], ovsView({ "br-int": [podPort("v2", "uid-2", { ofport: 4 })] }), gone);
    assert.equal(found?.problem?.reason, REASONS.noOVSPort);
    assert.match(found.problem.message, /Pod default\/web-1 has no Open vSwitch port on this node/);
  });

  it("count once they have an OpenFlow port number", () => {
    const [found] = findPods([pod], ovsView({ "br-int": [podPort("v1", "uid-1", { error: "No such device" })] }), gone);
    assert.match(
      found?.problem?.message ?? "",
      /v1 .* no OpenFlow port number yet: Open vSwitch says "No such device"/,
    );
  });

  it("are the current sandbox's while two sandboxes carry the UID, whichever row comes first", () => {
    const old = podPort("v-old", "uid-1", { ofport: 3, netns: "/var/run/netns/old" });
    const young = podPort("v-new", "uid-1", { ofport: 4, netns: "/var/run/netns/new" });
    const ages = (netns: string): number | null =>
      ({ "/var/run/netns/old": 100, "/var/run/netns/new": 200 })[netns] ?? null;
    for (const ports of [
      [old, young],
      [young, old],
    ]) {
      assert.deepEqual(portsOf(findPods([pod], ovsView({ "br-int": ports }), ages)[0]), ["v-new:4"]);
      const oldGone = (netns: string): number | null => (netns.endsWith("new") ? 1 : null);
      assert.deepEqual(portsOf(findPods([pod], ovsView({ "br-int": ports }), oldGone)[0]), ["v-new:4"]);
    }
  });

  it("are never our own ports, whatever somebody writes on them", () => {
    const fake = podPort("tap0", "uid-1", { ofport: 3 });
    fake.externalIds = { ...fake.externalIds, ...OURS };
    assert.deepEqual(portsOf(findPods([pod], ovsView({ "br-int": [fake] }), gone)[0]), []);
  });
});

describe("the VLANs that a Pod lives in", () => {
  const cases: [string, Parameters<typeof portView>[1], readonly number[] | "any"][] = [
    ["a plain port: untagged", { name: "v" }, [0]],
    ["an access port: its tag", { name: "v", tag: 100 }, [100]],
    [
      "an access port whose mode is spelled out: its tag, not its trunks",
      { name: "v", tag: 100, trunks: [1, 2], vlanMode: "access" },
      [100],
    ],
    [
      "a trunk with a native VLAN: that and the trunks",
      { name: "v", tag: 5, trunks: [7, 6], vlanMode: "native-untagged" },
      [5, 6, 7],
    ],
    ["a trunk: untagged and the trunks", { name: "v", trunks: [7, 6] }, [0, 6, 7]],
    ["a trunk whose tag does not count", { name: "v", tag: 9, trunks: [7], vlanMode: "trunk" }, [0, 7]],
    ["a trunk of very many: any", { name: "v", trunks: Array.from({ length: 40 }, (_, index) => index + 1) }, "any"],
  ];
  for (const [title, sketch, vlans] of cases)
    it(title, () => {
      assert.deepEqual(vlansOf(portView("br-int", sketch)), vlans);
    });
});
