import assert from "node:assert/strict";
import fc from "fast-check";
import {
  formatChange,
  formatFilter,
  formatFlow,
  parseFlow,
  parseFlows,
} from "../../../packages/ovs-ofctl-wrapper/src/index";
import { parseFlowEvent } from "../../../packages/ovs-ofctl-wrapper/src/ofctl-watch";
import { parseAggregate, parsePorts, parseTables } from "../../../packages/ovs-ofctl-wrapper/src/port";
import { flow } from "../../support/lab-flows";

/** Recorded from Open vSwitch; what the older and newer ones print differently is in it. */
const DUMP = `OFPST_FLOW reply (OF1.5) (xid=0x2):
 cookie=0x5443000000000001, duration=0.007s, table=0, n_packets=12, n_bytes=1180, idle_age=0, priority=65535,reg14=0/0x1 actions=goto_table:240
 cookie=0x0, duration=64973.738s, table=0, n_packets=4, n_bytes=1360, send_flow_rem priority=40000,udp,tp_src=68,tp_dst=67 actions=CONTROLLER:65535
 cookie=0x0, duration=0.007s, table=247, n_packets=0, n_bytes=0, idle_timeout=60, hard_timeout=100, send_flow_rem importance=5, idle_age=0, priority=94,ip,nw_frag=later actions=resubmit(,0)
 cookie=0x0, duration=0.007s, table=10, n_packets=0, n_bytes=0, actions=drop
 cookie=0x1, duration=0.007s, table=242, n_packets=0, n_bytes=0, idle_age=0, priority=100,reg12=0x1,reg13=0x2 actions=output:1,learn(table=245,idle_timeout=300,priority=100,cookie=0x54430009,limit=4096,NXM_OF_ETH_SRC[],NXM_OF_VLAN_TCI[0..11],load:NXM_OF_IN_PORT[]->NXM_OF_IN_PORT[]),LOCAL
`;

describe("flow text", () => {
  it("reads what dump-flows prints", () => {
    const flows = parseFlows(DUMP);
    assert.deepEqual(
      flows.map(({ table, priority, cookie, match }) => [table, priority, cookie, match]),
      [
        [0, 65535, 0x5443000000000001n, "reg14=0/0x1"],
        [0, 40000, 0n, "udp,tp_src=68,tp_dst=67"],
        [247, 94, 0n, "ip,nw_frag=later"],
        [10, 32768, 0n, ""],
        [242, 100, 1n, "reg12=0x1,reg13=0x2"],
      ],
    );
    assert.deepEqual(
      flows.map(({ packets, bytes }) => [packets, bytes]),
      [
        [12, 1180],
        [4, 1360],
        [0, 0],
        [0, 0],
        [0, 0],
      ],
    );
    assert.equal(flows[2]!.idleTimeout, 60);
    assert.equal(flows[2]!.hardTimeout, 100);
    assert.match(flows[4]!.actions, /^output:1,learn\(table=245,.*IN_PORT\[\]\),LOCAL$/);
  });

  it("reads a dump without statistics, where table 0, cookie 0 and priority 32768 are left out", () => {
    const [first, second, third] = parseFlows(
      [
        " priority=0 actions=NORMAL",
        " table=240, actions=drop",
        " cookie=0x5443000000000001, table=240, priority=200,icmp6,icmp_type=135 actions=goto_table:249",
      ].join("\n"),
    );
    assert.deepEqual([first?.table, first?.priority, first?.match, first?.actions], [0, 0, "", "NORMAL"]);
    assert.deepEqual([second?.table, second?.priority], [240, 32768]);
    assert.deepEqual([third?.cookie, third?.match], [0x5443000000000001n, "icmp6,icmp_type=135"]);
  });

  it("skips lines that are not flows", () => {
    assert.equal(parseFlow("OFPST_FLOW reply (OF1.5) (xid=0x2):"), null);
    assert.equal(parseFlow("NXST_FLOW reply (xid=0x4): flags=[more]"), null);
    assert.equal(parseFlow(""), null);
  });

  it("reads back every flow that it has written", () => {
    fc.assert(
      fc.property(flow(), fc.option(fc.integer({ min: 1, max: 65535 }), { nil: undefined }), (wanted, idleTimeout) => {
        const { packets, bytes, ...read } = parseFlow(formatFlow({ ...wanted, idleTimeout }))!;
        assert.deepEqual([packets, bytes], [0, 0]);
        assert.deepEqual(read, { ...wanted, ...(idleTimeout === undefined ? {} : { idleTimeout }) });
      }),
    );
  });

  it("writes filters and changes as ovs-ofctl reads them", () => {
    const mask = { cookie: 0x5443000000000000n, cookieMask: 0xffff000000000000n };
    assert.equal(formatFilter({}), "");
    assert.equal(
      formatFilter({ ...mask, table: 7, match: "ip" }),
      "table=7,cookie=0x5443000000000000/0xffff000000000000,ip",
    );
    assert.equal(formatChange({ kind: "delete", ...mask }), "delete cookie=0x5443000000000000/0xffff000000000000");
    assert.equal(formatChange({ kind: "delete" }), "delete");
    assert.equal(
      formatChange({ kind: "deleteStrict", table: 1, priority: 2, match: "ip", cookie: 3n }),
      "delete_strict table=1,priority=2,cookie=0x3/0xffffffffffffffff,ip",
    );
    assert.equal(
      formatChange({ kind: "add", table: 1, priority: 2, match: "", actions: "", cookie: 3n }),
      "add table=1,priority=2,cookie=0x3 actions=drop",
    );
    assert.deepEqual(
      ["checkOverlap", "resetCounts"].map((flag) =>
        formatChange({ kind: "add", [flag]: true, table: 1, priority: 2, match: "ip", actions: "", cookie: 3n }),
      ),
      ["check_overlap", "reset_counts"].map((flag) => `add ${flag},table=1,priority=2,cookie=0x3,ip actions=drop`),
    );
  });
});

describe("other output of ovs-ofctl", () => {
  it("reads flow events, with and without a time-out in between", () => {
    assert.deepEqual(parseFlowEvent(" event=DELETED reason=delete table=240 cookie=0x54430000000000ff ip"), {
      event: "DELETED",
      reason: "delete",
      table: 240,
      cookie: 0x54430000000000ffn,
    });
    assert.deepEqual(parseFlowEvent(" event=DELETED reason=idle table=0 idle_timeout=5 cookie=0x998 ip,in_port=1"), {
      event: "DELETED",
      reason: "idle",
      table: 0,
      cookie: 0x998n,
    });
    assert.deepEqual(parseFlowEvent(" event=ADDED table=7 cookie=0 actions=resubmit(,1)"), {
      event: "ADDED",
      table: 7,
      cookie: 0n,
    });
    assert.equal(parseFlowEvent(" event=ABBREV xid=0x12345"), null);
    assert.equal(parseFlowEvent("NXST_FLOW_MONITOR reply (xid=0x0):"), null);
  });

  it("reads ports with several flags, with none, and with a quoted name", () => {
    const output = `OFPST_PORT_DESC reply (OF1.5) (xid=0x2):
 1(t1): addr:fe:0f:d6:76:ee:d1
     config:     PORT_DOWN NO_FLOOD
     state:      LINK_DOWN
     current:    10GB-FD COPPER
     speed: 10000 Mbps now, 0 Mbps max
 2("a b"): addr:fe:0f:d6:76:ee:d2
     config:     0
     state:      LIVE
     speed: 0 Mbps now, 0 Mbps max
 LOCAL(br-int): addr:36:ec:0b:4e:76:42
     config:     0
     state:      0
`;
    assert.deepEqual(parsePorts(output), [
      { number: 1, name: "t1", mac: "fe:0f:d6:76:ee:d1", config: ["PORT_DOWN", "NO_FLOOD"], state: ["LINK_DOWN"] },
      { number: 2, name: "a b", mac: "fe:0f:d6:76:ee:d2", config: [], state: ["LIVE"] },
      { number: 65534, name: "br-int", mac: "36:ec:0b:4e:76:42", config: [], state: [] },
    ]);
  });

  /** After openvswitch/ovs-issues#252 (2022), which shows what versions 1.3 and 1.0 print of one bridge of Antrea's. */
  const TABLES = {
    "OpenFlow 1.3": `OFPST_TABLE reply (OF1.3) (xid=0x2):
  table 0:
    active=4, lookup=1070, matched=1060

  table 1:
    active=0, lookup=0, matched=0

  tables 2...9: ditto

  table 10:
    active=8, lookup=1070, matched=1070
`,
    "OpenFlow 1.0, with names and features": `OFPST_TABLE reply (xid=0x2):
  table 0 ("Classification"):
    active=4, lookup=1070, matched=1060
    max_entries=1000000
    matching:
      exact match or wildcard: in_port eth_{src,dst,type} vlan_{vid,pcp} ip_{src,dst} nw_{proto,tos} tcp_{src,dst}

  table 1:
    active=0, lookup=0, matched=0
    (same features)

  tables 2...9: ditto

  table 10 ("SpoofGuard"):
    active=8, lookup=1070, matched=1070
    (same features)
`,
  };
  for (const [version, output] of Object.entries(TABLES))
    it(`reads tables, those that are like the one before included (${version})`, () => {
      const tables = parseTables(output);
      assert.deepEqual(
        tables.map(({ table }) => table),
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
      );
      assert.deepEqual(tables[0], { table: 0, flows: 4, lookups: 1070, matched: 1060 });
      assert.deepEqual(tables[9], { table: 9, flows: 0, lookups: 0, matched: 0 });
      assert.deepEqual(tables[10], { table: 10, flows: 8, lookups: 1070, matched: 1070 });
    });

  it("reads one table that is like the one before", () => {
    const output =
      "OFPST_TABLE reply (OF1.5) (xid=0x2):\n  table 0:\n    active=1, lookup=2, matched=3\n\n  table 1: ditto\n";
    assert.deepEqual(
      parseTables(output).map(({ table, flows }) => [table, flows]),
      [
        [0, 1],
        [1, 1],
      ],
    );
  });

  it("reads an aggregate", () => {
    const line = "OFPST_AGGREGATE reply (OF1.5) (xid=0x2): packet_count=5 byte_count=490 flow_count=7";
    assert.deepEqual(parseAggregate(line), { packets: 5, bytes: 490, flows: 7 });
    assert.equal(parseAggregate("nothing of the kind"), null);
  });
});
