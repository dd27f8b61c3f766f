/** What counts as a change of a node's Open vSwitch: the end-to-end tests' "as before" rests on this. */
import assert from "node:assert/strict";
import { bridgeDifference, factsOf } from "../../support/e2e/bridges";

interface Node {
  flows?: string[];
  ports?: string;
  links?: string;
  externalIDs?: string;
  packets?: number;
  configuration?: number;
}

/** As ovs-ofctl, ip and ovsdb-client print it. */
function printed({
  flows = [],
  ports = "",
  links = "",
  externalIDs = "",
  packets = 1,
  configuration = 1,
}: Node): string {
  return `@ br-int dump-flows
OFPST_FLOW reply (OF1.4) (xid=0x2):
 priority=0 actions=NORMAL
${flows.map((flow) => ` ${flow}\n`).join("")}@ br-int dump-ports-desc
OFPST_PORT_DESC reply (OF1.4) (xid=0x2):
 1(veth0): addr:06:84:2c:1d:0b:4a
     config:     0
     state:      LIVE
${ports}@ - links
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN
7: veth0@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1400 qdisc noqueue state UP
${links}@ - database
{"caption":"Port table","headings":["_uuid","name","external_ids","statistics"],"data":[[["uuid","a"],"veth0",["map",[${externalIDs}]],["map",[["x",${packets}]]]]]}
{"caption":"Open_vSwitch table","headings":["_uuid","next_cfg"],"data":[[["uuid","b"],${configuration}]]}
`;
}

const before = factsOf(printed({}));
const changed = (node: Node): string[] => bridgeDifference(before, factsOf(printed(node)));

describe("the state of a node's bridges", () => {
  it("is the same after nothing has changed", () => assert.deepEqual(changed({}), []));

  it("shows a flow that has come, and one that has gone", () => {
    const flow = "table=240, priority=1 actions=drop";
    assert.deepEqual(changed({ flows: [flow] }), [`+ br-int dump-flows: ${flow}`]);
    assert.deepEqual(bridgeDifference(factsOf(printed({ flows: [flow] })), before), [`- br-int dump-flows: ${flow}`]);
  });

  it("shows a new port and a new link by name, without numbers", () => {
    const ports = " 2(tap0): addr:06:84:2c:1d:0b:4b\n     config:     NO_FLOOD\n     state:      LIVE\n";
    const [port] = changed({ ports });
    assert.equal(port, "+ br-int dump-ports-desc: tap0: addr:06:84:2c:1d:0b:4b config: NO_FLOOD state: LIVE");
    assert.deepEqual(changed({ links: "9: tap0: <BROADCAST> mtu 1500\n" }), ["+ - links: tap0"]);
  });

  it("shows which column of which row has another value", () => {
    assert.deepEqual(changed({ externalIDs: '["k","v"]' }), [
      '- - database: Port "veth0" external_ids=["map",[]]',
      '+ - database: Port "veth0" external_ids=["map",[["k","v"]]]',
    ]);
  });

  it("does not mind statistics, and the counter that every client advances", () =>
    assert.deepEqual(changed({ packets: 2, configuration: 2 }), []));

  it("does not mind that a port has another number", () => {
    const renumbered = factsOf(printed({}).replace(" 1(veth0)", " 4(veth0)"));
    assert.deepEqual(bridgeDifference(before, renumbered), []);
  });
});
