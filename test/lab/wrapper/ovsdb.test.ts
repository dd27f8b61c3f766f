/** ovs-ofctl-wrapper on a real Open vSwitch: the database, locks, ports, control sockets, and the held OpenFlow connection. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { Ovsdb, createPort, deletePort, readPort } from "../../../packages/ovs-ofctl-wrapper/src/index";
import type { NewPort } from "../../../packages/ovs-ofctl-wrapper/src/index";
import { Lab } from "../../support/lab";
import type { LabNode } from "../../support/lab";
import { refusal, value } from "../../support/lab-result";

const OURS = { "ovs-traffic-control.dev/owner": "ovs-traffic-control" };
const vxlan = (name: string, more: Partial<NewPort> = {}): NewPort => ({
  bridge: "br-int",
  name,
  type: "vxlan",
  options: { remote_ip: "172.31.0.200", key: "7" },
  externalIds: OURS,
  portColumns: { vlan_mode: "trunk", trunks: 4095 },
  ...more,
});

describe("OVSDB of a real Open vSwitch", () => {
  let lab: Lab | undefined;
  let node: LabNode;
  let db: Ovsdb;
  const clients: Ovsdb[] = [];
  const connect = async (): Promise<Ovsdb> => {
    const client = await Ovsdb.connect(node.options);
    clients.push(client);
    return client;
  };
  before(async () => {
    lab = await Lab.up({ nodes: { n1: ["a"] } });
    node = lab.node("n1");
    db = await connect();
  });
  after(async () => {
    for (const client of clients) client.close();
    await lab?.down();
  });

  describe("ports", () => {
    afterEach(async () => {
      value(await deletePort(db, "br-int", "tap1", OURS));
    });

    it("makes a port and reads its OpenFlow number back", async () => {
      const port = value(await createPort(db, vxlan("tap1")));
      assert.equal(port.error, "");
      assert.equal(port.ofport, await node.ofport("tap1"));
      assert.equal(await node.vsctl("get", "port", "tap1", "vlan_mode", "trunks"), "trunk\n[4095]");
      assert.equal(await node.vsctl("get", "interface", "tap1", "options:key"), '"7"');
    });

    it("makes an internal port in the node's own namespace", async () => {
      const port = value(await createPort(db, vxlan("tap1", { type: "internal", options: {} })));
      assert.ok((port.ofport ?? 0) > 0);
      await node.exec("ip", "link", "set", "tap1", "up");
    });

    it("refuses a name that exists as a port, on any bridge, or as a bridge, and leaves that untouched", async () => {
      const pod = lab!.pod("a").port;
      const before = await node.vsctl("list", "Port", pod);
      assert.equal(refusal(await createPort(db, vxlan(pod))), `there is a port ${pod} already`);
      assert.equal(
        refusal(await createPort(db, vxlan("eth0"))),
        "there is a port eth0 already",
        "which is on another bridge",
      );
      assert.match(refusal(await createPort(db, vxlan("br-phy"))), /br-phy already/);
      assert.equal(await node.vsctl("list", "Port", pod), before);
    });

    it("refuses a bridge that does not exist", async () => {
      assert.equal(refusal(await createPort(db, vxlan("tap1", { bridge: "no" }))), "there is no bridge no");
      assert.match(refusal(await readPort(db, "tap1")), /no interface tap1/);
    });

    it("reports a port that Open vSwitch could not open, with the reason", async () => {
      value(await createPort(db, vxlan("tap1")));
      const second = value(await createPort(db, vxlan("tap2")));
      value(await deletePort(db, "br-int", "tap2", OURS));
      assert.equal(second.ofport, -1);
      assert.match(second.error, /File exists/);
      const device = value(await createPort(db, vxlan("nodev", { type: "", options: {} })));
      value(await deletePort(db, "br-int", "nodev", OURS));
      assert.equal(device.ofport, -1);
      assert.match(device.error, /No such device/);
    });

    it("deletes only what carries our external_ids and is on the bridge", async () => {
      const pod = lab!.pod("a").port;
      assert.match(refusal(await deletePort(db, "br-int", pod, OURS)), /not ours/);
      value(await createPort(db, vxlan("tap1")));
      assert.match(refusal(await deletePort(db, "br-phy", "tap1", OURS)), /not on bridge br-phy/);
      value(await readPort(db, "tap1"));
      value(await deletePort(db, "br-int", "tap1", OURS));
      assert.match(refusal(await readPort(db, "tap1")), /no interface/);
    });
  });

  it("follows rows, reads sets, maps and empty columns, and tells each change once", async () => {
    const changes: string[] = [];
    const replica = value(
      await db.monitor({ Port: ["name", "tag", "trunks", "external_ids"], Bridge: ["name", "ports"] }, (all) => {
        for (const { table, before, after } of all) {
          const row = after ?? before;
          changes.push(`${table} ${row?.name ?? ""} ${before ? (after ? "changed" : "deleted") : "new"}`);
        }
      }),
    );
    const pod = replica.find("Port", ({ name }) => name === lab!.pod("a").port)!;
    assert.equal(pod.external_ids.get("contPodUid"), lab!.pod("a").uid);
    assert.equal(pod.tag, undefined);
    assert.deepEqual(pod.trunks, []);
    assert.ok(replica.find("Bridge", ({ name }) => name === "br-int")!.ports.includes(pod.uuid));

    await node.vsctl("set", "port", pod.name, "tag=100", "trunks=1,2");
    await node.vsctl("add-port", "br-int", "eve", "--", "set", "interface", "eve", "type=internal");
    await node.vsctl("del-port", "eve", "--", "clear", "port", pod.name, "tag", "trunks");
    await settled(() => changes.length >= 6);
    assert.deepEqual(changes, [
      `Port ${pod.name} changed`,
      "Port eve new",
      "Bridge br-int changed",
      ...["Port eve deleted", `Port ${pod.name} changed`, "Bridge br-int changed"].sort(byOrderOf(changes.slice(3))),
    ]);
    assert.deepEqual(
      replica.find("Port", ({ name }) => name === pod.name),
      pod,
    );
  });

  it("follows the rows that meet a condition, as they come to meet it and cease to", async () => {
    const changes: string[] = [];
    const replica = value(
      await db.monitor(
        { Port: ["name", "tag", "trunks", "external_ids"] },
        (all) => {
          for (const { before, after } of all)
            changes.push(`${(after ?? before)?.name ?? ""} ${before ? (after ? "changed" : "deleted") : "new"}`);
        },
        { Port: [["tag", "==", 100]] },
      ),
    );
    const { port } = lab!.pod("a");
    assert.equal(replica.rows("Port").size, 0);
    await node.vsctl("set", "port", port, "tag=100", "trunks=1,2", "external_ids:x=1");
    await node.vsctl("add-port", "br-int", "eve", "tag=100", "--", "set", "interface", "eve", "type=internal");
    await node.vsctl("set", "port", port, "trunks=2,3", "external_ids:x=2", "external_ids:z=1");
    await node.vsctl("remove", "port", port, "external_ids", "z");
    await settled(() => changes.length >= 4);
    const followed = replica.find("Port", ({ name }) => name === port)!;
    assert.deepEqual(followed.trunks.toSorted(), [2, 3]);
    assert.deepEqual([followed.external_ids.get("x"), followed.external_ids.get("z")], ["2", undefined]);
    assert.equal(followed.external_ids.get("contPodUid"), lab!.pod("a").uid);
    await node.vsctl("clear", "port", port, "tag", "trunks");
    await node.vsctl("remove", "port", port, "external_ids", "x", "--", "del-port", "eve");
    await settled(() => changes.length >= 6);
    assert.deepEqual(changes, [
      ...[`${port} new`, "eve new", `${port} changed`, `${port} changed`],
      ...[`${port} deleted`, "eve deleted"],
    ]);
    assert.equal(replica.rows("Port").size, 0);
  });

  it("does all operations of a transaction or none, and says which one failed", async () => {
    const message = refusal(
      await db.transact([
        { op: "update", table: "Bridge", where: [["name", "==", "br-int"]], row: { datapath_type: "system" } },
        { op: "insert", table: "Bridge", row: { name: "br-int" } },
        { op: "mutate", table: "Open_vSwitch", where: [], mutations: [["next_cfg", "+=", "one"]] },
      ]),
    );
    assert.match(message, /^mutate Open_vSwitch: /);
    assert.equal(await node.vsctl("get", "bridge", "br-int", "datapath_type"), "netdev");
  });

  it("gives a lock to one client, and to the next when its holder's connection dies", async () => {
    const first = await connect();
    const second = await connect();
    const held = value(await first.lock("ovs_traffic_control"));
    const waiting = value(await second.lock("ovs_traffic_control"));
    assert.deepEqual([held.held, waiting.held], [true, false]);
    assert.match(refusal(await second.transact([waiting.assert()])), /assert lock ovs_traffic_control: not owner/);
    value(await first.transact([held.assert()]));
    const acquired = once(waiting, "acquired");
    first.close();
    await acquired;
    assert.equal(waiting.held, true);
    value(await second.transact([waiting.assert()]));
    value(await waiting.release());
  });

  it("tells the holder of a lock when it is stolen, and the loser's transactions fail from then on", async () => {
    const first = await connect();
    const second = await connect();
    const held = value(await first.lock("stolen_one"));
    const lost = once(held, "lost");
    const thief = value(await second.lock("stolen_one", "steal"));
    await lost;
    assert.deepEqual([held.held, thief.held], [false, true]);
    assert.match(refusal(await first.transact([held.assert()])), /not owner/);
    first.close();
    second.close();
  });

  it("answers what the daemons' control sockets say, and refuses what they refuse", async () => {
    assert.match(value(await node.appctl.command("ovs-vswitchd", "ovs/route/lookup", "172.31.0.200")), /dev br-phy/);
    assert.match(refusal(await node.appctl.command("ovs-vswitchd", "ovs/route/lookup", "192.0.2.1")), /Not found/);
    assert.match(value(await node.appctl.command("ovsdb-server", "ovsdb-server/list-dbs")), /Open_vSwitch/);
    assert.match(refusal(await node.appctl.command("ovs-vswitchd", "no/such")), /"no\/such" is not a valid command/);
  });

  it("sees flows being deleted by others, and ovs-vswitchd die and come back, on a held connection", async () => {
    const monitor = node.openflow.monitor("br-int");
    try {
      await once(monitor, "up");
      const flow = { table: 240, priority: 5, cookie: 0x54430000000000ffn, match: "ip", actions: "drop" };
      value(await node.openflow.bundle("br-int", [{ kind: "add", ...flow }]));
      const deleted = new Promise((resolve) => {
        monitor.on("flow", (event) => {
          if (event.event === "DELETED") resolve(event);
        });
      });
      await node.ofctl("del-flows", "br-int", "table=240");
      assert.deepEqual(await deleted, { event: "DELETED", reason: "delete", table: 240, cookie: flow.cookie });

      const down = once(monitor, "down").then(() => performance.now());
      const killed = performance.now();
      await node.killVswitchd();
      const noticed = (await down) - killed;
      assert.ok(noticed < 500, `noticed after ${noticed.toFixed(0)} ms`);
      assert.equal(monitor.connected, false);
      const up = once(monitor, "up");
      await node.startVswitchd();
      await up;
      assert.equal(monitor.connected, true);
    } finally {
      monitor.close();
    }
  });

  it("says that a change is stored but not in force while ovs-vswitchd is dead", async () => {
    const impatient = await Ovsdb.connect({ ...node.options, timeoutSeconds: 1 });
    clients.push(impatient);
    await node.killVswitchd();
    const answer = await createPort(impatient, vxlan("tap1"));
    assert.match(refusal(answer), /stored, but ovs-vswitchd has not acted/);
    assert.ok(!answer.ok && answer.error.timedOut);
    await node.startVswitchd();
    assert.ok((await node.ofport("tap1")) > 0);
    value(await deletePort(db, "br-int", "tap1", OURS));
  });
});

async function settled(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** Rows of one transaction come in no particular order. */
function byOrderOf(order: string[]): (a: string, b: string) => number {
  return (a, b) => order.indexOf(a) - order.indexOf(b);
}
