/**
 * What Open vSwitch 2.17 (Ubuntu 22.04), 3.1 (Debian 12), 3.3 (Ubuntu 24.04) and 3.5 (Debian 13) print, as recorded/record.sh
 * has recorded it from each of them, through everything of this project that reads it.
 */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { parseFdb } from "../../../packages/node-programmer/src/pods/fdb";
import { parseNeighbours, parseRoute } from "../../../packages/node-programmer/src/ports/neighbours";
import {
  canonicalActions,
  canonicalMatch,
  diffFlows,
  fromWire,
  parseFlows,
} from "../../../packages/ovs-ofctl-wrapper/src/index";
import type { FlowEntry, FlowEvent, Wire } from "../../../packages/ovs-ofctl-wrapper/src/index";
import { parseFlowEvent } from "../../../packages/ovs-ofctl-wrapper/src/ofctl-watch";
import { shapeOf } from "../../../packages/ovs-ofctl-wrapper/src/ovsdb/values";
import type { ColumnShape, Schema } from "../../../packages/ovs-ofctl-wrapper/src/ovsdb/values";
import { parseAggregate, parsePorts, parseTables } from "../../../packages/ovs-ofctl-wrapper/src/port";

const FOLDER = path.join(import.meta.dirname, "recorded");
const OURS = 0x5443000000000001n;

/** What record.sh has put into every bridge: [table, priority, cookie, match, actions]. */
const FLOWS: [number, number, bigint, string, string][] = [
  [0, 65535, OURS, "reg14=0/0x1", "goto_table:240"],
  [0, 200, OURS, "in_port=1,dl_vlan=20,dl_vlan_pcp=3", "pop_vlan,output:LOCAL"],
  [0, 190, OURS + 1n, "in_port=LOCAL,vlan_tci=0/0x1fff", "NORMAL"],
  [0, 180, 0n, "ip,nw_src=10.9.0.0/16,nw_frag=later", "resubmit(,240)"],
  [0, 170, 0n, "icmp6,icmp_type=135,icmp_code=0,nd_target=fe80::1", "FLOOD"],
  [0, 160, 0n, "ipv6,ipv6_src=fd09::/64", "move:NXM_NX_REG12[0..15]->NXM_NX_REG13[16..31],IN_PORT"],
  [
    ...([0, 150, 0n, "tcp,tp_dst=0x50/0xfff0,tcp_flags=+syn-ack"] as const),
    "load:0x7->NXM_NX_REG1[0..3],set_field:5->reg2,output:NXM_NX_REG2[]",
  ],
  [
    ...([0, 140, 0n, "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00"] as const),
    "push_vlan:0x8100,set_field:4116->vlan_vid,output:2",
  ],
  [0, 130, 0n, "arp,arp_op=1", "drop"],
  [
    ...([240, 100, OURS + 2n, "reg12=0x1,reg13=0x2"] as const),
    "output:1,learn(table=245,idle_timeout=300,priority=100,cookie=0x54430009,limit=4096,NXM_OF_ETH_SRC[]," +
      "NXM_OF_VLAN_TCI[0..11],load:NXM_OF_IN_PORT[]->NXM_OF_IN_PORT[]),LOCAL",
  ],
  [
    ...([240, 90, OURS + 2n, "ct_state=+est+trk,ct_mark=0x1/0x1,ip"] as const),
    "ct(commit,zone=NXM_NX_REG0[0..15],exec(load:0x1->NXM_NX_CT_MARK[0])),clone(output:3)",
  ],
  [240, 32768, 0n, "", "drop"],
];

/** Column → what it holds, of those whose shape the programmer relies on. */
const SHAPES: Record<string, Record<string, ColumnShape>> = {
  Open_vSwitch: { bridges: "set", cur_cfg: "scalar", next_cfg: "scalar", ovs_version: "optional", external_ids: "map" },
  Bridge: { name: "scalar", ports: "set", fail_mode: "optional", protocols: "set", datapath_type: "scalar" },
  Port: { interfaces: "set", tag: "optional", trunks: "set", vlan_mode: "optional", bond_active_slave: "optional" },
  Interface: { ofport: "optional", error: "optional", options: "map", mac_in_use: "optional", ifindex: "optional" },
};

/** Title → text of each part of a recording. */
function sections(file: string): Map<string, string> {
  const parts = readFileSync(path.join(FOLDER, file), "utf8").split(/^@ /m).slice(1);
  return new Map(parts.map((part) => [part.slice(0, part.indexOf("\n")), part.slice(part.indexOf("\n") + 1)]));
}

const bySpelling = ([table, priority, , match]: (typeof FLOWS)[number]): string =>
  `${table} ${String(priority).padStart(5, "0")} ${canonicalMatch(match)}`;
const known = ({ table, priority, cookie, match, actions }: FlowEntry): (typeof FLOWS)[number] => [
  ...([table, priority, cookie, canonicalMatch(match)] as const),
  canonicalActions(actions),
];

const recordings = readdirSync(FOLDER).filter((file) => file.endsWith(".txt"));

describe("the output of Open vSwitch", () => {
  it("is there from 2.17 to 3.5", () => {
    assert.deepEqual(recordings.map((file) => file.split(".").slice(0, 2).join(".")).sort(), [
      ...["2.17", "3.1", "3.3", "3.5"],
    ]);
  });

  for (const file of recordings)
    describe(file.replace(".txt", ""), () => {
      const recorded = sections(file);
      const part = (title: string): string => {
        const text = recorded.get(title);
        assert.ok(text !== undefined, `${file} has "${title}"`);
        return text;
      };

      for (const title of ["dump-flows", "dump-flows OpenFlow13"])
        it(`${title}: every flow is the one that was written, and has its counters and time-outs`, () => {
          const flows = parseFlows(part(title));
          const wanted = FLOWS.map(([table, priority, cookie, match, actions]): (typeof FLOWS)[number] => [
            ...([table, priority, cookie, canonicalMatch(match)] as const),
            canonicalActions(actions),
          ]);
          const order = (all: typeof FLOWS): typeof FLOWS =>
            all.sort((a, b) => bySpelling(a).localeCompare(bySpelling(b)));
          assert.deepEqual(order(flows.map(known)), order(wanted));
          const written = FLOWS.map(([table, priority, cookie, match, actions]) => ({
            ...{ table, priority, cookie, match, actions },
            ...(actions.includes("learn(") ? { idleTimeout: 60, hardTimeout: 100 } : {}),
          }));
          assert.deepEqual(diffFlows(flows, written), [], "nothing would be changed");
          const [first] = flows.filter(({ priority }) => priority === 65535);
          assert.deepEqual([first!.packets, first!.bytes], [3, 144]);
          assert.ok(flows.filter(({ packets }) => packets > 0).every(({ packets }) => packets === 3));
        });

      it("dump-aggregate", () => {
        assert.deepEqual(parseAggregate(part("dump-aggregate")), { packets: 3, bytes: 144, flows: 3 });
      });

      it("dump-ports-desc: numbers, names, addresses and flags", () => {
        const ports = parsePorts(part("dump-ports-desc"));
        assert.deepEqual(
          ports.map(({ number, name, config, state }) => [number, name, config, state]),
          [
            [1, "int1", ["PORT_DOWN"], ["LINK_DOWN"]],
            [2, "vx2", [], ["LIVE"]],
            [3, "er3", [], ["LIVE"]],
            [65534, "br-int", [], ["LIVE"]],
          ],
        );
        assert.equal(ports[3]!.mac, "02:00:00:00:00:01");
        for (const { mac } of ports) assert.match(mac, /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
        const [int1] = parsePorts(part("dump-ports-desc OpenFlow10"));
        assert.deepEqual(int1!.config, ["PORT_DOWN", "NO_FLOOD"]);
      });

      it("dump-tables: all of them, those that say ditto too", () => {
        const tables = parseTables(part("dump-tables"));
        assert.deepEqual(
          tables.map(({ table }) => table),
          Array.from({ length: 254 }, (_, table) => table),
        );
        const busy = tables.filter(({ flows }) => flows > 0);
        assert.deepEqual(busy, [
          { table: 0, flows: 9, lookups: 3, matched: 3 },
          { table: 240, flows: 3, lookups: 3, matched: 3 },
        ]);
      });

      for (const title of ["monitor", "monitor OpenFlow10"])
        it(`${title}: what was added, modified, and deleted why`, function () {
          if (title === "monitor" && file.startsWith("2.")) {
            assert.match(
              part(title),
              /^ovs-ofctl: none of the usable flow formats/,
              "it cannot, and the other way can",
            );
            return;
          }
          assert.match(part(title), /^\w+_FLOW_MONITOR reply/, "the watcher sees that it is up");
          const events = part(title)
            .split("\n")
            .flatMap((line) => parseFlowEvent(line) ?? []);
          const added = FLOWS.map(([table, , cookie]): FlowEvent => ({ event: "ADDED", table, cookie }));
          assert.deepEqual(events.slice(0, added.length), added);
          assert.deepEqual(events.slice(added.length), [
            { event: "MODIFIED", table: 0, cookie: 0n },
            { event: "ADDED", table: 9, cookie: 9n },
            { event: "DELETED", reason: "hard", table: 9, cookie: 9n },
            { event: "ADDED", table: 9, cookie: 10n },
            { event: "DELETED", reason: "delete", table: 9, cookie: 10n },
          ]);
        });

      it("the refusal of a bundle names the line", () => {
        assert.match(part("add-flows with a fault in line 2"), /^ovs-ofctl: -:2: unknown keyword nonsense$/m);
      });

      it("what the daemon knows: learned addresses, ways and neighbours", () => {
        assert.deepEqual(parseFdb(part("fdb/show")), new Map([[1, ["02:00:00:00:00:42"]]]));
        assert.deepEqual(parseRoute(part("route/lookup")), { device: "br-int", gateway: null });
        assert.equal(parseRoute(part("route/lookup without a way")), null);
        assert.deepEqual(parseNeighbours(part("tnl/neigh/show")), new Map([["10.0.10.2", "02:00:00:00:00:99"]]));
      });

      it("rows of the database, a port that could not be opened among them", () => {
        const [{ rows }] = JSON.parse(part("transact")) as [{ rows: Record<string, Wire>[] }];
        rows.sort((a, b) => String(a["name"]).localeCompare(String(b["name"])));
        const read = rows.map((row) => [
          String(row["name"]),
          fromWire(row["ofport"]!, "optional"),
          fromWire(row["error"]!, "optional"),
          fromWire(row["options"]!, "map"),
        ]);
        const options = { key: "7", remote_ip: "10.0.10.3", erspan_idx: "0x5", erspan_ver: "1" };
        assert.deepEqual(read, [
          ["absent4", -1, "could not open network device absent4 (No such device)", new Map()],
          ["er3", 3, undefined, new Map(Object.entries(options))],
          ["int1", 1, undefined, new Map()],
          ["vx2", 2, undefined, new Map(Object.entries({ key: "7", remote_ip: "10.0.10.2" }))],
        ]);
      });

      it("the schema gives columns the shapes that the programmer relies on", () => {
        const schema = JSON.parse(part("get-schema")) as Schema;
        for (const [table, columns] of Object.entries(SHAPES))
          for (const [name, shape] of Object.entries(columns)) {
            const column = schema.tables[table]?.columns[name];
            assert.ok(column, `${table} has ${name}`);
            assert.equal(shapeOf(column), shape, `${table}.${name}`);
          }
      });
    });
});
