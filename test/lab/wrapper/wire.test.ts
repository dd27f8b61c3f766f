/** Flows that this package encodes itself are the same flows, to the byte, as those that ovs-ofctl makes of the same text. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { formatChange } from "../../../packages/ovs-ofctl-wrapper/src/index";
import type { Flow, FlowChange } from "../../../packages/ovs-ofctl-wrapper/src/index";
import { Connection } from "../../../packages/ovs-ofctl-wrapper/src/wire/connection";
import { encodeChange } from "../../../packages/ovs-ofctl-wrapper/src/wire/flow-mod";
import { Lab } from "../../support/lab";
import type { LabNode } from "../../support/lab";
import { run } from "../../support/lab/command";
import { flow } from "../../support/lab-flows";

const BRIDGE = "br-int";
const GOLDEN = path.join(import.meta.dirname, "../../unit/node-programmer/golden");
const VERSIONS = "OpenFlow13,OpenFlow14,OpenFlow15";

describe("the encoder", () => {
  let lab: Lab;
  let node: LabNode;
  let connection: Connection;
  before(async () => {
    lab = await Lab.up({ nodes: { n1: [] } });
    node = lab.node("n1");
    connection = await Connection.open(path.join(node.runDir, `${BRIDGE}.mgmt`), 10_000);
  });
  after(async () => {
    connection.close();
    await lab.down();
  });

  /** In an order of its own: Open vSwitch's depends on what was in the table before. */
  const dump = async (): Promise<string> =>
    (await node.ofctl("--no-names", "--no-stats", "dump-flows", BRIDGE)).split("\n").sort().join("\n");
  async function byOfctl(changes: readonly FlowChange[]): Promise<string> {
    const input = changes.map(formatChange).join("\n");
    const target = `unix:${node.runDir}/${BRIDGE}.mgmt`;
    await run("ovs-ofctl", ["-t", "10", "-O", VERSIONS, "--bundle", "add-flows", target, "-"], { input });
    return dump();
  }
  async function directly(changes: readonly FlowChange[]): Promise<string> {
    const messages = changes.map(encodeChange);
    assert.ok(messages.every((message) => message !== null));
    assert.equal(await connection.bundle(messages), "done");
    return dump();
  }
  const added = (flows: readonly Flow[]): FlowChange[] => flows.map((each) => ({ kind: "add", ...each }));
  /** The same on an empty bridge, both ways. */
  async function sameBothWays(changes: readonly FlowChange[]): Promise<void> {
    const anew = [{ kind: "delete" as const }, ...changes];
    assert.equal(await directly(anew), await byOfctl(anew));
  }

  for (const file of readdirSync(GOLDEN))
    it(`knows everything in golden/${file}`, async () => {
      const changes = added(goldenFlows(path.join(GOLDEN, file)));
      assert.ok(changes.length > 10);
      await sameBothWays(changes);
    });

  it("makes of any flow what ovs-ofctl makes of it, or leaves it to ovs-ofctl", async () => {
    let known = 0;
    let all = 0;
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(flow(), { minLength: 20, maxLength: 60 }), async (flows) => {
        const changes = added(flows).filter((change) => encodeChange(change) !== null);
        all += flows.length;
        known += changes.length;
        await sameBothWays(changes);
      }),
      { numRuns: 12 },
    );
    assert.ok(known / all > 0.8, `it knew ${known} of ${all}`);
  });

  it("deletes what ovs-ofctl would delete", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(flow(), { minLength: 10, maxLength: 30 }), fc.nat(9), async (flows, at) => {
        const changes = added(flows).filter((change) => encodeChange(change) !== null);
        const { table, priority, match, cookie } = flows[at]!;
        // In a bundle of their own: what becomes of a flow that one bundle deletes, adds and deletes again changes
        // from run to run (Open vSwitch 3.1), whoever sends it.
        const deletions: FlowChange[] = [
          { kind: "deleteStrict", table, priority, match, cookie },
          { kind: "delete", cookie: cookie & 0xfn, cookieMask: 0x3n },
          { kind: "delete", table: 241, match: "ip" },
        ];
        if (encodeChange(deletions[0]!) === null) return;
        await directly([{ kind: "delete" }, ...changes]);
        const after = await directly(deletions);
        await byOfctl([{ kind: "delete" }, ...changes]);
        assert.equal(after, await byOfctl(deletions));
      }),
      { numRuns: 8 },
    );
  });

  it("refuses an add beside a flow that it overlaps, if told to, and the bundle with it", async () => {
    const flow: Flow = { table: 243, priority: 7, cookie: 1n, match: "reg0=0/0x5,reg14=0x1/0x1", actions: "drop" };
    const others = ["reg0=0/0x6,reg14=0x1/0x1", "reg14=0x1/0x1", "reg0=0/0x5,reg14=0x1/0x1"];
    const [mask, none, same] = others.map((match): FlowChange => ({ ...flow, kind: "add", checkOverlap: true, match }));
    const beside: FlowChange = { ...flow, kind: "add", table: 244 };
    const before = await directly([{ kind: "delete" }, { kind: "add", ...flow }]);
    for (const overlapping of [mask!, none!]) {
      const messages: Buffer[] = [beside, overlapping].map((change) => encodeChange(change)!);
      assert.equal(await connection.bundle(messages), "refused");
      await assert.rejects(byOfctl([beside, overlapping]), /OFPFMFC_OVERLAP/);
      assert.equal(await dump(), before);
    }
    await directly([same!]);
    assert.equal((await dump()).replace("check_overlap ", ""), before, "it is the same flow");
    await directly([{ kind: "deleteStrict", table: 243, priority: 7, match: flow.match, cookie: 1n }, mask!]);
    assert.notEqual(await dump(), before, "what goes in the same bundle is no overlap");
  });

  it("knows how to delete tunnel metadata, where the switch has a name for it", async () => {
    await node.ofctl("add-tlv-map", BRIDGE, "{class=0x102,type=0x80,len=4}->tun_metadata0");
    await node.ofctl("add-tlv-map", BRIDGE, "{class=0x102,type=0x81,len=8}->tun_metadata63");
    const changes = added(
      [0, 63].map((field) => ({
        ...{ table: 244, priority: field, cookie: 1n, match: "ip" },
        actions: `delete_field:tun_metadata${field},goto_table:245`,
      })),
    );
    await sameBothWays(changes);
    assert.match(await dump(), /delete_field:tun_metadata63/);
  });

  it("knows the actions of a redirect", async () => {
    const learn =
      "learn(table=246,idle_timeout=300,priority=100,delete_learned,cookie=0x5443000000000011,limit=4096," +
      "NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],NXM_NX_REG13[0..3]=1,load:0x5->NXM_NX_REG12[0..7],output:NXM_OF_IN_PORT[])";
    const matches: [string, string][] = [
      ["dl_vlan=100,dl_dst=0a:00:00:00:00:01", "pop_vlan,output:3"],
      ["ip,in_port=4,nw_dst=10.9.0.11", `${learn},output:5`],
      ["ipv6,in_port=4,ipv6_dst=fd09::b", learn.replace("limit=4096,", "")],
      ["udp6,tp_src=547", "load:0x7->NXM_OF_IN_PORT[],move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],resubmit(3,245),NORMAL"],
      ["tcp,tp_dst=80/0xfff0", "resubmit(,246),goto_table:247"],
    ];
    const changes = added(
      matches.map(([match, actions], i) => ({ table: 244, priority: i, cookie: BigInt(i), match, actions })),
    );
    assert.deepEqual(changes.filter((change) => encodeChange(change) === null).map(formatChange), []);
    await sameBothWays(changes);
  });
});

/** Priority, match and actions of the lines of a golden file; table from the headings. */
function goldenFlows(file: string): Flow[] {
  const flows: Flow[] = [];
  let table = 0;
  for (const line of readFileSync(file, "utf8").split("\n")) {
    const heading = /^(?:table )?(\d+) /.exec(line);
    const found = /^ +(\d+) {2}(\S+) +(\S+) {2}# /.exec(line);
    if (heading) table = Number(heading[1]);
    if (!found) continue;
    const [, priority, match, actions] = found;
    const cookie = 0x5443000000000000n + BigInt(flows.length);
    flows.push({ table, priority: Number(priority), cookie, match: match === "*" ? "" : match!, actions: actions! });
  }
  return flows;
}
