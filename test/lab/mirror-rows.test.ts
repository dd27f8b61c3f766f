/**
 * Mirror on a bridge whose pipeline nobody has described: copies by rows of the table Mirror, which act at once, are put back
 * when another agent takes them away, and leave nothing behind. The programmer is the real one.
 */
import assert from "node:assert/strict";
import type { PlanStatus } from "@ovs-traffic-control/api";
import { eventually } from "../support/e2e/eventually";
import { DATAPATH, Lab } from "../support/lab";
import type { LabNode, LabPod, LabProgrammer, LabRule } from "../support/lab";
import { database, flows, ownFlows } from "../support/lab/contents";
import { sendFrames } from "../support/lab/frames";
import { installForeignPipeline, markAsAntrea } from "../support/lab/foreign-pipeline";
import { echoes } from "../support/lab/inline";
import { planOf } from "../support/lab/programmer";
import { long } from "../support/slow";

const PINGS = 5;

describe("mirrors on a foreign pipeline", function () {
  this.timeout(120_000);
  let lab: Lab;
  let node: LabNode;
  let programmer: LabProgrammer;
  let a: LabPod, b: LabPod, c: LabPod;
  /** What was there before anything of ours. */
  let untouched: [string, string[]];
  const contents = async (): Promise<[string, string[]]> => [await database(node), await flows(node)];
  before(async () => {
    lab = await Lab.up({ nodes: { n1: ["a", "b", "c"] } });
    node = lab.node("n1");
    [a, b, c] = ["a", "b", "c"].map((name) => lab.pod(name)) as [LabPod, LabPod, LabPod];
    await installForeignPipeline(node, [a, b, c]);
    programmer = await lab.programmer(node);
    programmer.start({ env: { COUNTER_SECONDS: "0.1" } });
    await programmer.apply([]);
    for (const v6 of [false, true]) for (const peer of [b, c]) assert.equal((await a.ping(peer, { v6 })).received, 5);
    untouched = await contents();
  });
  after(() => lab.down());
  afterEach(async () => {
    await programmer.apply([]);
    assert.deepEqual(await contents(), untouched, "everything is as before");
  });

  const tap = (name: string, pods: LabPod[], more: Partial<LabRule> = {}): LabRule => ({
    name,
    direction: "Both",
    targetPort: { ovsInternal: { name: `tap-${name}` } },
    pods,
    ...more,
  });
  /** Echoes at the device while a pings b, IPv4 and IPv6; one line each. */
  async function copies(device: string, from = a, to = b): Promise<string[]> {
    const capture = await lab.capture(node, device);
    for (const v6 of [false, true]) assert.equal((await from.ping(to, { v6, count: PINGS })).received, PINGS);
    return echoes(await capture.stop());
  }
  const requests = (from: LabPod, to: LabPod): string[] => lines(from, to, 8, 128);
  const replies = (from: LabPod, to: LabPod): string[] => lines(from, to, 0, 129);
  function lines(from: LabPod, to: LabPod, v4: number, v6: number): string[] {
    return Array.from({ length: PINGS }, (_, index) => [
      `${from.address} ${to.address} ${v4} ${index + 1}`,
      `${from.address6} ${to.address6} ${v6} ${index + 1}`,
    ]).flat();
  }
  const ruleOf = ({ rules }: PlanStatus, name: string): NonNullable<PlanStatus["rules"]>[number] =>
    rules!.find((rule) => rule.name === name)!;
  const mirrors = async (): Promise<string[]> =>
    (await node.vsctl("--bare", "--columns=name", "list", "Mirror")).split("\n").filter((name) => name !== "");

  const addMirrors = (count: number): Promise<string> =>
    node.vsctl(
      ...["--", "--id=@out", "get", "port", "eth1"],
      ...Array.from({ length: count }, (_, index) => [
        ...["--", `--id=@m${index}`, "create", "mirror", `name=theirs-${index}`, "output-port=@out"],
        ...["--", "add", "bridge", "br-int", "mirrors", `@m${index}`],
      ]).flat(),
    );

  it("copy both directions, each packet of a flow in the cache included, and say why they are approximate", async () => {
    const status = await programmer.apply([tap("x", [a])]);
    assert.deepEqual(
      status.bridges?.map(({ name, kind }) => [name, kind]),
      [["br-int", "Unknown"]],
    );
    assert.equal(ruleOf(status, "x").realizedPods, 1);
    assert.match(ruleOf(status, "x").approximate ?? "", /^Bridge br-int .*dec_ttl.* Mirror rows .*ARP/);
    assert.deepEqual(await copies("tap-x"), [...requests(a, b), ...replies(b, a)].sort());
    assert.deepEqual(await copies("tap-x", b, c), [], "others are not copied");
  });

  it("copy one direction only, if that is asked for, by one row per target, and stop at once", async () => {
    const idle = ["tap-x", "tap-y"].map((name) => tap(`idle-${name}`, [c], { targetPort: { ovsInternal: { name } } }));
    await programmer.apply([tap("x", [a], { direction: "Egress" }), tap("y", [a], { direction: "Ingress" }), ...idle]);
    assert.deepEqual((await mirrors()).sort(), ["tap-x", "tap-y"]);
    const received = await lab.capture(node, "tap-y");
    assert.deepEqual(await copies("tap-x"), requests(a, b).sort());
    assert.deepEqual(echoes(await received.stop()), replies(b, a).sort());
    await programmer.apply(idle);
    assert.deepEqual(await copies("tap-x"), []);
  });

  it("are attached again when another agent clears them, for packets of flows in the cache, too", async () => {
    await programmer.apply([tap("x", [a])]);
    const { repairs = 0 } = await programmer.read();
    // A capture that begins or ends makes Open vSwitch look at its cache again by itself.
    const capture = await lab.capture(node, "tap-x");
    const ping = async (): Promise<void> => {
      for (const v6 of [false, true]) assert.equal((await a.ping(b, { v6, count: PINGS })).received, PINGS);
    };
    // While nobody looks, it makes up its mind without the row, and would keep to that.
    process.kill(programmer.pid, "SIGSTOP");
    await node.vsctl("clear", "bridge", "br-int", "mirrors");
    await node.appctl.command("ovs-vswitchd", "revalidator/purge");
    await ping();
    const { length } = programmer.log;
    process.kill(programmer.pid, "SIGCONT");
    await eventually("the pass is over", () => Promise.resolve(programmer.log.slice(length).includes("changes made")));
    await ping();
    assert.deepEqual(echoes(await capture.stop()), [...requests(a, b), ...replies(b, a)].sort(), "the second ping's");
    await programmer.status((now) => (now.repairs ?? 0) > repairs);
  });

  it("refuse Redirect before anything is touched, and say why", async () => {
    const inline = { targetPort: { ovsInternal: { name: "in0" } }, returnPort: { ovsInternal: { name: "out0" } } };
    const status = await programmer.apply([tap("x", [a], inline)]);
    const [pending] = ruleOf(status, "x").pendingPods;
    assert.equal(pending?.reason, "PipelineUnknown");
    assert.match(pending.message, /only action Mirror is possible/);
    assert.deepEqual(await contents(), untouched);
    assert.equal((await a.ping(b)).received, 5);
  });

  long("in every case", () => {
    it("leave Mirror rows of others alone, and have no more than 32 with them", async () => {
      await addMirrors(31);
      const columns = "--columns=name,_uuid,output_port,select_all,select_src_port,select_dst_port,external_ids";
      const foreign = async (): Promise<string[]> =>
        (await node.vsctl("--format=csv", columns, "list", "mirror"))
          .split("\n")
          .filter((row) => row.startsWith("theirs"))
          .sort();
      const before = await foreign();
      const status = await programmer.apply([tap("x", [a]), tap("y", [b])]);
      assert.equal(ruleOf(status, "x").realizedPods, 1);
      const [pending] = ruleOf(status, "y").pendingPods;
      assert.equal(pending?.reason, "TooManyMirrors");
      assert.match(pending.message, /32 mirrors on one bridge.*tap-y/);
      assert.deepEqual(await foreign(), before);
      assert.deepEqual(await copies("tap-x"), [...requests(a, b), ...replies(b, a)].sort());
      const one = await node.vsctl("get", "mirror", "theirs-0", "_uuid");
      await node.vsctl("remove", "bridge", "br-int", "mirrors", one);
      await programmer.status((now) => ruleOf(now, "y").realizedPods === 1);
      assert.deepEqual(await copies("tap-y"), [...requests(a, b), ...replies(b, a)].sort());
      await programmer.apply([]);
      assert.deepEqual(
        await foreign(),
        before.filter((row) => !row.startsWith("theirs-0,")),
      );
      await node.vsctl("clear", "bridge", "br-int", "mirrors");
    });

    it("copy once to each target, also if both ends are selected, into a tunnel too", async () => {
      const vxlan = { vxlan: { remoteIP: lab.collector.address, destinationPort: 4789, vni: 7 } };
      await programmer.apply([tap("x", [a, b]), tap("y", [a], { targetPort: vxlan })]);
      const collector = await lab.captureTunnels();
      assert.deepEqual(await copies("tap-x"), [...requests(a, b), ...replies(b, a)].sort());
      assert.deepEqual(echoes(await collector.stop()), [...requests(a, b), ...replies(b, a)].sort());
    });

    it("drop what a target sends, before the foreign pipeline sees it", async () => {
      await programmer.apply([tap("x", [a])]);
      const atB = await lab.capture(b, "eth0", { filter: "ether src 02:00:00:00:00:99" });
      await sendFrames(node, "tap-x", [{ source: "02:00:00:00:00:99", destination: b.mac }]);
      await a.ping(b);
      assert.equal((await atB.stop()).length, 0);
    });

    it("go on over a restart of ovs-vswitchd, and are cleaned up by a programmer that finds them", async () => {
      await programmer.apply([tap("x", [a])]);
      await programmer.stop("SIGKILL");
      await node.killVswitchd();
      await node.startVswitchd();
      await installForeignPipeline(node, [a, b, c]);
      assert.deepEqual(await copies("tap-x"), [...requests(a, b), ...replies(b, a)].sort(), "rows need no programmer");
      await programmer.put(planOf([]));
      programmer.start({ env: { COUNTER_SECONDS: "0.1" } });
      await programmer.apply([]);
      assert.deepEqual(await ownFlows(node), []);
      assert.deepEqual(await mirrors(), []);
      untouched = await contents();
    });

    it("are repaired when somebody changes them", async () => {
      await programmer.apply([tap("x", [a])]);
      await node.vsctl("set", "mirror", "tap-x", "select_all=true", "snaplen=20");
      const columns = ["--bare", "--columns=select_all,snaplen", "list", "mirror", "tap-x"];
      await eventually("the row is as it was", async () => (await node.vsctl(...columns)).trim() === "false");
      assert.deepEqual(await copies("tap-x", b, c), []);
      assert.deepEqual(await copies("tap-x"), [...requests(a, b), ...replies(b, a)].sort());
    });

    it("reach a target on a switched bridge by a patch pair, and not one on another foreign bridge", async () => {
      await node.vsctl("add-br", "br-other", "--", "set", "bridge", "br-other", `datapath_type=${DATAPATH}`);
      const end = await lab.addDevice(node, "dev1");
      await node.vsctl(
        ...["add-port", "br-other", "dev1", "--", "set", "port", "dev1"],
        "external_ids:ovs-traffic-control.dev/adopt=true",
      );
      const rule = tap("x", [a], { targetPort: { device: { name: "dev1" } } });
      assert.equal(ruleOf(await programmer.apply([rule]), "x").realizedPods, 1);
      assert.deepEqual(await copies(end), [...requests(a, b), ...replies(b, a)].sort());
      await programmer.apply([]);
      await node.ofctl("del-flows", "br-other");
      await node.ofctl("add-flow", "br-other", "actions=drop");
      const [pending] = ruleOf(await programmer.apply([rule]), "x").pendingPods;
      assert.match(
        `${pending?.reason}: ${pending?.message}`,
        /^PipelineUnknown: Bridge br-other .* cannot be led on to a port of x/,
      );
      await programmer.apply([]);
      await node.vsctl("del-br", "br-other");
    });

    const { address, address6 } = { address: "172.31.0.200", address6: "fd31::c8" };
    const kinds: [string, LabRule["targetPort"], string?][] = [
      ["geneve", { geneve: { remoteIP: address, destinationPort: 6081, vni: 5 } }],
      ["vxlan over IPv6", { vxlan: { remoteIP: address6, destinationPort: 4789, vni: 5 } }],
      ["gre", { gre: { remoteIP: address, key: 9 } }],
      ["erspan type II", { erspan: { remoteIP: address, sessionID: 3, version: 1, index: 2 } }],
      ["erspan type III", { erspan: { remoteIP: address, sessionID: 3, version: 2, dir: 1, hardwareID: 4 } }],
    ];
    for (const [title, targetPort] of kinds)
      it(`copies to ${title}`, async () => {
        await programmer.apply([tap("x", [a], { targetPort })]);
        const collector = await lab.captureTunnels();
        for (const v6 of [false, true]) await a.ping(b, { v6, count: PINGS });
        assert.deepEqual(echoes(await collector.stop()), [...requests(a, b), ...replies(b, a)].sort());
      });

    it("copies to a device", async () => {
      const end = await lab.addDevice(node, "dev0");
      await programmer.apply([tap("x", [a], { targetPort: { device: { name: "dev0" } } })]);
      assert.deepEqual(await copies(end), [...requests(a, b), ...replies(b, a)].sort());
    });

    it("say so when Open vSwitch has taken too many of others first", async () => {
      await programmer.stop();
      programmer.start({ env: { AUDIT_SECONDS: "1", COUNTER_SECONDS: "0.1" } });
      await programmer.apply([tap("x", [a])]);
      await addMirrors(40);
      // Of those that are there when it starts it takes any 32.
      await node.killVswitchd();
      await node.startVswitchd();
      await installForeignPipeline(node, [a, b, c]);
      const works = (await copies("tap-x")).length > 0;
      const status = await programmer.status((now) => {
        const { realizedPods, pendingPods } = ruleOf(now, "x");
        return works ? realizedPods === 1 : pendingPods[0]?.reason === "TooManyMirrors";
      });
      assert.ok(status, `it ${works ? "works" : "does not work"}`);
      await node.vsctl("clear", "bridge", "br-int", "mirrors");
      await programmer.status((now) => ruleOf(now, "x").realizedPods === 1);
      await programmer.apply([]);
      untouched = await contents();
    });

    it("counts what the rows have copied", async () => {
      await programmer.stop();
      programmer.start({ env: { AUDIT_SECONDS: "0.5", COUNTER_SECONDS: "0.1" } });
      await programmer.apply([tap("x", [a])]);
      await a.ping(b, { count: 50 });
      // Open vSwitch writes them down every five seconds.
      const { packets = 0 } = ruleOf(await programmer.status((now) => (ruleOf(now, "x").packets ?? 0) >= 100), "x");
      assert.ok(packets < 120, `${packets} packets are counted: 100 echoes, and what is no echo`);
    });
  });

  describe("on Antrea's bridge", () => {
    const pods = (rules: LabRule[]): ReturnType<typeof planOf> => {
      const spec = planOf(rules);
      return {
        ...spec,
        pods: spec.pods.map((pod) => ({ ...pod, addresses: [lab.pod(pod.name).address] })),
      };
    };
    before(async () => {
      await markAsAntrea(node, [a, b, c]);
      untouched = await contents();
    });

    it("carry the mark without which its agent would not start again, also if it is taken away", async () => {
      const { hash } = await programmer.put(pods([tap("x", [a])]));
      const status = await programmer.status(({ observedHash }) => observedHash === hash);
      assert.deepEqual(
        status.bridges?.map(({ name, kind }) => [name, kind]),
        [["br-int", "Antrea"]],
      );
      assert.match(ruleOf(status, "x").approximate ?? "", /^Bridge br-int is Antrea's\./);
      const mark = (): Promise<string> => node.vsctl("get", "port", "tap-x", "external_ids:antrea-type");
      assert.equal(await mark(), "traffic-control");
      assert.deepEqual(await copies("tap-x"), [...requests(a, b), ...replies(b, a)].sort());
      await node.vsctl("remove", "port", "tap-x", "external_ids", "antrea-type");
      await eventually("the mark is back", async () => (await mark().catch(() => "")) === "traffic-control");
    });
  });
});
