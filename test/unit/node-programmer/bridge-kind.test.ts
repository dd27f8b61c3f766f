/** Which bridges are programmed. */
import assert from "node:assert/strict";
import type { Flow } from "ovs-ofctl-wrapper";
import { kindOfBridge, pipelineOf } from "../../../packages/node-programmer/src/ovs";
import { cookie } from "../../../packages/node-programmer/src/pipeline";
import { OURS, ovsView } from "./views";

const flow = (actions: string, match = "", table = 0, priority = 0): Flow => ({
  table,
  priority,
  cookie: 0n,
  match,
  actions,
});
const normal = flow("NORMAL");
const kind = (flows: Flow[], view = ovsView({ "br-int": [] })): ReturnType<typeof kindOfBridge> =>
  kindOfBridge(view, view.bridges[0]!, flows);

describe("a bridge's kind", () => {
  it("is Switched for plain NORMAL, with the administrator's own flows above it, and for an empty secure bridge", () => {
    assert.equal(kind([normal]).kind, "Switched");
    assert.equal(
      kind([normal, flow("drop", "tcp,tp_dst=23", 0, 100), flow("goto_table:10", "ip", 0, 50), flow("NORMAL", "", 10)])
        .kind,
      "Switched",
    );
    assert.equal(kind([]).kind, "Switched");
  });

  it("is not changed by flows of ours", () => {
    assert.equal(kind([normal, { ...flow("drop", "", 240), cookie: cookie(3) }]).kind, "Switched");
  });

  const unknown: [string, Flow[], RegExp][] = [
    ["a flow in our tables", [normal, flow("drop", "", 245)], /tables 240 to 249 are ours/],
    ["a use of our mark", [normal, flow("load:0x1->NXM_NX_REG14[],NORMAL", "ip")], /reg14 is ours/],
    ["a match on our mark", [normal, flow("drop", "reg14=0x1")], /reg14 is ours/],
    ["a flow to all ports", [normal, flow("ALL", "arp")], /sends to all ports/],
    ["a router", [normal, flow("dec_ttl,NORMAL", "ip")], /routes/],
    ["a router by its MAC rewriting", [normal, flow("set_field:0a:00:00:00:00:01->eth_dst,output:3", "ip")], /routes/],
    ["no NORMAL at all", [flow("output:3", "in_port=2")], /none of its flows has the action NORMAL/],
  ];
  for (const [title, flows, why] of unknown)
    it(`is Unknown because of ${title}, and the message says so`, () => {
      const found = kind(flows);
      assert.equal(found.kind, "Unknown");
      assert.match(found.message ?? "", why);
    });

  it("lets Mirror rows take the copies on a foreign pipeline, unless that uses the marker's table", () => {
    assert.equal(pipelineOf(kind([flow("output:3", "in_port=2")])), "MirrorRows");
    for (const theirs of [
      flow("output:3", "", 249),
      flow("goto_table:249"),
      flow("resubmit(,249)"),
      flow("resubmit(7,249)"),
    ])
      assert.equal(pipelineOf(kind([flow("dec_ttl", "ip"), theirs])), null, theirs.actions);
  });

  it("is OVN for its integration bridge, Antrea for a bridge with its ports, whether ours are marked as well or not", () => {
    const ovn = kind([], ovsView({ "br-int": [] }, { externalIds: { "ovn-remote": "unix:x" } }));
    assert.equal(ovn.kind, "OVN");
    assert.equal(pipelineOf(ovn), "OVN");
    const antrea = ovsView({ "br-int": [{ name: "a", externalIds: { "antrea-type": "x" } }] });
    assert.equal(pipelineOf(kind([normal], antrea)), "MirrorRows");
    const former = ovsView({ "br-int": [{ name: "a", externalIds: { ...OURS, "antrea-type": "traffic-control" } }] });
    assert.equal(kind([normal], former).kind, "Switched");
    assert.equal(
      kind([normal], ovsView({ "br-ex": [] }, { externalIds: { "ovn-remote": "unix:x" } })).kind,
      "Switched",
    );
    assert.equal(
      kind([normal], ovsView({ "br-int": [{ name: "a", externalIds: { "antrea-type": "container" } }] })).kind,
      "Antrea",
    );
  });

  it("tells whether something floods", () => {
    assert.equal(kind([normal]).floods, false);
    assert.equal(kind([normal, flow("FLOOD", "arp")]).floods, true);
  });
});
