import assert from "node:assert/strict";
import fc from "fast-check";
import { canonicalActions, canonicalMatch } from "../../../packages/ovs-ofctl-wrapper/src/index";
import { match } from "../../support/lab-flows";

describe("canonicalMatch", () => {
  /** Left: as one writes it. Right: as Open vSwitch 3.1 prints it. */
  const same: [string, string][] = [
    ["in_port=1,ip", "ip,in_port=1"],
    ["in_port=65534", "in_port=LOCAL"],
    ["reg14=0/0x1", "reg14=0x0/1"],
    ["reg12=5/0xffffffff", "reg12=0x5"],
    ["reg12=7/0,ip", "ip"],
    ["dl_type=0x0800", "ip"],
    ["eth_type=0x86dd,ip_proto=58,icmpv6_type=135", "icmp6,icmp_type=135"],
    ["dl_type=0x0800,nw_proto=6,tcp_dst=80", "tcp,tp_dst=80"],
    ["eth_dst=0A:00:00:00:00:01", "dl_dst=0a:00:00:00:00:01"],
    ["dl_dst=01:00:00:00:00:00/ff:ff:ff:ff:ff:ff", "dl_dst=01:00:00:00:00:00"],
    ["ip,nw_src=10.1.2.3/8", "ip,nw_src=10.0.0.0/255.0.0.0"],
    ["ip,nw_dst=10.1.2.3/32", "ip,ip_dst=10.1.2.3"],
    ["ipv6,ipv6_dst=fd00:0:0::1/64", "ipv6,ipv6_dst=fd00::/64"],
    ["ipv6,ipv6_src=::ffff:1.2.3.4", "ipv6,ipv6_src=::ffff:102:304"],
    ["vlan_tci=0x1064/0x1fff", "dl_vlan=100"],
    ["vlan_vid=0x1064/0x1fff", "dl_vlan=100"],
    ["dl_vlan=0xffff", "vlan_tci=0x0000/0x1fff"],
    ["vlan_tci=0", "vlan_tci=0x0000/0x1fff"],
    ["dl_vlan=5,dl_vlan_pcp=1", "dl_vlan_pcp=1,dl_vlan=5"],
    ["tunnel_id=5", "tun_id=0x5"],
  ];
  for (const [written, printed] of same)
    it(`takes ${written} and ${printed} for the same`, () => {
      assert.equal(canonicalMatch(written), canonicalMatch(printed));
    });

  const different: [string, string][] = [
    ["ip", "ipv6"],
    ["ip", ""],
    ["in_port=1", "in_port=2"],
    ["reg14=0/0x1", "reg14=1/0x1"],
    ["reg14=0/0x1", "reg14=0/0x3"],
    ["dl_vlan=100", "vlan_tci=0x0000/0x1fff"],
    ["dl_vlan=100", "dl_vlan=100,dl_vlan_pcp=0"],
    ["dl_src=0a:00:00:00:00:01", "dl_dst=0a:00:00:00:00:01"],
    ["ip,nw_src=10.0.0.0/8", "ip,nw_src=10.0.0.0/9"],
    ["ipv6,ipv6_src=fd00::1", "ipv6,ipv6_src=fd00::1:0"],
    ["ip,nw_frag=later", "ip,nw_frag=first"],
  ];
  for (const [one, other] of different)
    it(`tells ${one} from ${other || "everything"}`, () => {
      assert.notEqual(canonicalMatch(one), canonicalMatch(other));
    });

  it("gives the same for any order of the fields, and for what it has given itself", () => {
    fc.assert(
      fc.property(match(), (text) => {
        const canonical = canonicalMatch(text);
        assert.equal(canonicalMatch(canonical), canonical);
        assert.equal(canonicalMatch(text.split(",").reverse().join(",")), canonical);
      }),
    );
  });
});

describe("canonicalActions", () => {
  const same: [string, string][] = [
    ["", "drop"],
    ["load:5->NXM_NX_REG12[],goto_table:242", "set_field:0x5->reg12,goto_table:242"],
    ["load:1->NXM_NX_REG14[0]", "set_field:0x1/0x1->reg14"],
    ["load:0x3->NXM_NX_REG1[4..7]", "set_field:0x30/0xf0->reg1"],
    ["load:7->NXM_OF_IN_PORT[]", "set_field:7->in_port"],
    ["set_field:0A:00:00:00:00:01->dl_dst", "set_field:0a:00:00:00:00:01->eth_dst"],
    ["output:LOCAL", "LOCAL"],
    ["output:65534", "LOCAL"],
    ["in_port,normal", "IN_PORT,NORMAL"],
    [
      "learn(table=245,priority=100,cookie=9,limit=4096,NXM_OF_ETH_SRC[])",
      "learn(table=245,limit=4096,cookie=0x9,priority=100,NXM_OF_ETH_SRC[])",
    ],
  ];
  for (const [written, printed] of same)
    it(`takes ${written || "nothing"} and ${printed} for the same`, () => {
      assert.equal(canonicalActions(written), canonicalActions(printed));
    });

  it("keeps the order of actions, because it matters", () => {
    assert.notEqual(canonicalActions("output:1,output:2"), canonicalActions("output:2,output:1"));
  });

  it("tells actions apart that do different things", () => {
    assert.notEqual(canonicalActions("load:1->NXM_NX_REG14[0]"), canonicalActions("load:1->NXM_NX_REG14[]"));
    assert.notEqual(canonicalActions("output:1"), canonicalActions("drop"));
    assert.notEqual(canonicalActions("resubmit(,0)"), canonicalActions("resubmit(0)"));
  });
});
