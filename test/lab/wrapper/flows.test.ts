/** ovs-ofctl-wrapper on a real Open vSwitch: bundles, differences, dumps. */
import assert from "node:assert/strict";
import { once } from "node:events";
import fc from "fast-check";
import { diffFlows, flowKey, formatFlow } from "../../../packages/ovs-ofctl-wrapper/src/index";
import type {
  Flow,
  FlowChange,
  FlowEntry,
  FlowFilter,
  MonitorEvent,
  OpenFlow,
} from "../../../packages/ovs-ofctl-wrapper/src/index";
import { Lab } from "../../support/lab";
import { flow } from "../../support/lab-flows";
import { value } from "../../support/lab-result";

const OURS: FlowFilter = { cookie: 0x5443000000000000n, cookieMask: 0xffff000000000000n };
const BRIDGE = "br-int";

describe("flows on a real Open vSwitch", () => {
  let lab: Lab | undefined;
  let openflow: OpenFlow;
  before(async () => {
    lab = await Lab.up({ nodes: { n1: [] } });
    openflow = lab.node("n1").openflow;
  });
  after(() => lab?.down());
  afterEach(async () => {
    value(await openflow.bundle(BRIDGE, [{ kind: "delete", ...OURS }]));
  });

  const dump = async (filter: FlowFilter = OURS): Promise<FlowEntry[]> =>
    value(await openflow.dumpFlows(BRIDGE, filter));
  const ours = (match: string, actions: string, more: Partial<Flow> = {}): Flow => ({
    table: 240,
    priority: 100,
    cookie: 0x5443000000000001n,
    match,
    actions,
    ...more,
  });

  it("finds nothing to change on a second run, whatever the flows", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(flow(), { maxLength: 40 }), async (flows) => {
        const wanted = flows.map((each) => ({ ...each, cookie: 0x5443000000000000n | (each.cookie & 0xffffn) }));
        value(await openflow.bundle(BRIDGE, diffFlows(await dump(), wanted)));
        assert.deepEqual(diffFlows(await dump(), wanted), []);
        // What this package takes for one flow is one flow in Open vSwitch, and no two.
        value(
          await openflow.bundle(
            BRIDGE,
            wanted.map((each) => ({ kind: "add", ...each })),
          ),
        );
        assert.equal((await dump()).length, new Set(wanted.map(flowKey)).size);
        value(await openflow.bundle(BRIDGE, [{ kind: "delete", ...OURS }]));
      }),
      { numRuns: 15 },
    );
  });

  it("leaves the old set complete when one line of a bundle cannot be parsed", async () => {
    const old = [ours("ip", "drop"), ours("ipv6", "drop")];
    value(await openflow.bundle(BRIDGE, diffFlows([], old)));
    const refused = await openflow.bundle(BRIDGE, [
      { kind: "delete", ...OURS },
      { kind: "add", ...ours("arp", "output:1") },
      { kind: "add", ...ours("no_such_field=1", "drop") },
    ]);
    assert.ok(!refused.ok);
    assert.match(refused.error.message, /no_such_field.*in "add table=240/);
    assert.deepEqual(diffFlows(await dump(), old), []);
  });

  it("leaves the old set complete when the switch refuses a change, and says which", async () => {
    const old = [ours("ip", "drop")];
    value(await openflow.bundle(BRIDGE, diffFlows([], old)));
    const refused = await openflow.bundle(BRIDGE, [
      { kind: "delete", ...OURS },
      { kind: "add", ...ours("arp", "output:1") },
      { kind: "add", ...ours("ipv6", "group:77") },
    ]);
    assert.ok(!refused.ok);
    assert.match(refused.error.message, /BAD_OUT_GROUP.*group:77/);
    assert.deepEqual(diffFlows(await dump(), old), []);
  });

  it("says what Open vSwitch does not like of a change that it was sent directly", async () => {
    const old = [ours("ip", "drop")];
    value(await openflow.bundle(BRIDGE, diffFlows([], old)));
    const refused = await openflow.bundle(BRIDGE, [
      { kind: "add", ...ours("arp", "output:1") },
      { kind: "add", ...ours("ipv6", "pop_vlan,output:1") },
    ]);
    assert.ok(!refused.ok);
    assert.match(refused.error.message, /none of the usable flow formats|OFPBAC_|in "add table=240/);
    assert.deepEqual(diffFlows(await dump(), old), []);
  });

  it("works on a bridge that speaks OpenFlow 1.3 only, and still sees what others do", async () => {
    const node = lab!.node("n1");
    await node.vsctl("set", "bridge", BRIDGE, "protocols=OpenFlow13");
    const monitor = openflow.monitor(BRIDGE);
    try {
      await once(monitor, "up");
      value(await openflow.bundle(BRIDGE, diffFlows([], [ours("ip", "drop")])));
      assert.equal((await dump()).length, 1);
      const deleted = new Promise((resolve) => {
        monitor.on("flow", (event) => {
          if (event.event === "DELETED") resolve(event);
        });
      });
      await node.ofctl("-O", "OpenFlow13", "del-flows", BRIDGE, "table=240");
      assert.deepEqual(await deleted, { event: "DELETED", reason: "delete", table: 240, cookie: ours("", "").cookie });
    } finally {
      monitor.close();
      await node.vsctl("clear", "bridge", BRIDGE, "protocols");
    }
  });

  it("tells what others do, not what this object has done itself, in the order in which it happened", async () => {
    const node = lab!.node("n1");
    const monitor = openflow.monitor(BRIDGE);
    const seen: MonitorEvent[] = [];
    for await (const event of monitor) {
      seen.push(event);
      if (event.kind === "up") {
        value(await openflow.bundle(BRIDGE, [{ kind: "add", ...ours("ip", "drop") }]));
        await node.ofctl("add-flow", BRIDGE, "table=241,cookie=0x77,ip,actions=drop");
        await node.ofctl("del-flows", BRIDGE, "cookie=0x77/-1");
      }
      if (event.kind === "flow" && event.event === "DELETED") monitor.close();
    }
    const theirs = { kind: "flow", table: 241, cookie: 0x77n };
    assert.deepEqual(seen, [
      { kind: "up" },
      { ...theirs, event: "ADDED" },
      { ...theirs, event: "DELETED", reason: "delete" },
    ]);
  });

  it("does not touch flows of others, even of the same match", async () => {
    const foreign = { ...ours("ip,in_port=7", "drop"), cookie: 0x99n };
    value(await openflow.bundle(BRIDGE, [{ kind: "add", ...foreign }]));
    // As text, without counters: a late packet of the bridge's own may pass at any time.
    const everything = async (): Promise<string[]> => (await dump({})).map(formatFlow).sort();
    const before = await everything();
    const wanted = [ours("ip,in_port=8", "drop"), ours("ipv6", "drop")];
    value(await openflow.bundle(BRIDGE, diffFlows(await dump(), wanted)));
    // A stale idea of what is there: the same identity, but in the bridge it is somebody else's.
    value(
      await openflow.bundle(BRIDGE, [
        { kind: "deleteStrict", ...ours("ip,in_port=7", "") },
        ...diffFlows(await dump(), []),
      ]),
    );
    assert.deepEqual(await everything(), before);
    value(await openflow.bundle(BRIDGE, [{ kind: "delete", cookie: 0x99n }]));
  });

  it("keeps the counters of a flow whose actions change, and begins anew under another cookie", async () => {
    const node = lab!.node("n1");
    const before = ours("in_port=LOCAL", "goto_table:249");
    const steer = ours("", "goto_table:240", { table: 0, priority: 60000 });
    value(await openflow.bundle(BRIDGE, diffFlows([], [steer, before])));
    await node.attempt("ip", "addr", "add", "10.99.0.1/24", "dev", BRIDGE);
    await node.attempt("ping", "-c", "2", "-i", "0.01", "-W", "0.1", "10.99.0.2");
    const packets = async (): Promise<number> => (await dump({ ...OURS, table: 240 }))[0]?.packets ?? 0;
    // Statistics of the datapath reach the flows within a second or so.
    for (let i = 0; i < 40 && (await packets()) === 0; i++) await new Promise((resolve) => setTimeout(resolve, 50));
    const counted = await packets();
    assert.ok(counted > 0, "the flow was never hit");
    const after = { ...before, actions: "drop" };
    value(await openflow.bundle(BRIDGE, diffFlows(await dump(), [steer, after])));
    assert.ok((await packets()) >= counted);
    assert.deepEqual(diffFlows(await dump(), [steer, after]), []);
    // All has arrived once a second passes without news.
    for (let last = -1, now = counted; last !== now; now = await packets()) {
      last = now;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
    const another = { ...after, cookie: 0x5443000000000002n };
    value(await openflow.bundle(BRIDGE, diffFlows(await dump(), [steer, another])));
    assert.ok((await packets()) < counted, "what another cookie counts begins at 0");
  });

  it("takes a stream of flows for one bundle, and sums them by cookie and by table", async () => {
    async function* stream(): AsyncGenerator<FlowChange> {
      for (const match of ["ip", "ipv6"]) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        yield { kind: "add", ...ours(match, "drop") };
      }
    }
    value(await openflow.bundle(BRIDGE, stream()));
    assert.equal(value(await openflow.aggregate(BRIDGE, OURS)).flows, 2);
    const tables = value(await openflow.dumpTables(BRIDGE));
    assert.equal(tables.length, 254);
    assert.equal(tables.find(({ table }) => table === 240)?.flows, 2);
  });

  it("reads ports with their flags and sets no-flood", async () => {
    const port = async (): Promise<string[]> => {
      const shown = await lab!.node("n1").ofctl("-O", "OpenFlow10", "show", BRIDGE);
      return /\(eth1\).*\n +config: +(.*)/.exec(shown)?.[1]?.split(" ") ?? [];
    };
    assert.ok(!(await port()).includes("NO_FLOOD"));
    value(await openflow.modPort(BRIDGE, "eth1", "no-flood"));
    assert.ok((await port()).includes("NO_FLOOD"));
    const ports = value(await openflow.dumpPorts(BRIDGE));
    assert.deepEqual(ports.map(({ name }) => name).sort(), [BRIDGE, "eth1"]);
  });

  it("says what it tried when the bridge is not there", async () => {
    const answer = await openflow.dumpFlows("no-such-bridge");
    assert.ok(!answer.ok);
    assert.match(answer.error.command, /dump-flows .*no-such-bridge/);
    assert.match(answer.error.message, /No such file or directory/);
  });

  it("gives up on a stopped ovs-vswitchd instead of hanging", async () => {
    const node = lab!.node("n1");
    const { OpenFlow } = await import("../../../packages/ovs-ofctl-wrapper/src/index");
    const connected = new OpenFlow({ ...node.options, timeoutSeconds: 1 });
    const change = { kind: "add" as const, ...ours("ip", "drop") };
    value(await connected.bundle(BRIDGE, [change]));
    process.kill(node.pid("ovs-vswitchd"), "SIGSTOP");
    try {
      const impatient = new OpenFlow({ ...node.options, timeoutSeconds: 1 });
      for (const answer of await Promise.all([
        impatient.dumpFlows(BRIDGE),
        impatient.bundle(BRIDGE, [change]),
        connected.bundle(BRIDGE, [change]),
      ]))
        assert.ok(!answer.ok && answer.error.timedOut, JSON.stringify(answer));
    } finally {
      process.kill(node.pid("ovs-vswitchd"), "SIGCONT");
    }
  });
});
