/** Targets that must not be used, and names that try to be more than names: the reason is said, and nothing else changes. The programmer is the real one. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import type { PlanPort } from "@ovs-traffic-control/api";
import { DATAPATH, Lab } from "../support/lab";
import type { LabNode, LabPod, LabProgrammer } from "../support/lab";
import { database, flows } from "../support/lab/contents";

const PINGS = 6;
const TRACE = "/tmp/otc-hostile-name";

describe("a target that must not be used", () => {
  let lab: Lab;
  let node: LabNode;
  let programmer: LabProgrammer;
  let a: LabPod;
  before(async () => {
    lab = await Lab.up({ nodes: { n1: ["a", "b"], n2: ["c"] } });
    node = lab.node("n1");
    a = lab.pod("a");
    await node.vsctl(
      ...["add-port", "br-int", "theirs", "--", "set", "interface", "theirs", "type=internal"],
      ...["--", "add-br", "br-other", "--", "set", "bridge", "br-other", `datapath_type=${DATAPATH}`],
    );
    for (const name of ["master0", "busy0", "plain0"]) await lab.addDevice(node, name);
    await node.exec("ip", "link", "add", "br0", "type", "bridge");
    await node.exec("ip", "link", "set", "master0", "master", "br0");
    await node.exec("ip", "addr", "add", "192.0.2.1/24", "dev", "busy0");
    programmer = await lab.program(node);
    await programmer.apply([]);
    await a.ping(lab.pod("c"));
  });
  after(() => lab.down());

  /** Every link of the node with its state, master and addresses. */
  const links = async (): Promise<unknown> =>
    (JSON.parse(await node.exec("ip", "-j", "addr")) as Record<string, unknown>[]).map(
      ({ ifname, flags, master, addr_info }) => ({ ifname, flags, master, addr_info }),
    );

  async function refused(port: PlanPort, why: RegExp): Promise<void> {
    const before = [await database(node), await flows(node), await links()];
    const status = await programmer.apply([{ name: "x", direction: "Both", targetPort: port, pods: [a] }]);
    const [rule] = status.rules ?? [];
    assert.match(`${rule?.reason}: ${rule?.message}`, why);
    assert.equal((await a.ping(lab.pod("c"), { count: PINGS })).received, PINGS);
    await programmer.apply([]);
    assert.deepEqual([await database(node), await flows(node), await links()], before);
  }

  const device = (name: string): PlanPort => ({ device: { name } });
  const internal = (name: string): PlanPort => ({ ovsInternal: { name } });
  const cases: [string, () => PlanPort, RegExp][] = [
    ["a device that carries an address of the node", () => device("busy0"), /^DeviceNotOurs: .*192\.0\.2\.1/],
    ["a device that belongs to a Linux bridge", () => device("master0"), /^DeviceNotOurs: .*belongs to br0/],
    ["the loopback device", () => device("lo"), /^DeviceNotOurs: .*loopback/],
    ["a Pod's port", () => device(a.port), /^DeviceNotOurs: .*port of Pod/],
    ["a port that somebody else has attached", () => device("theirs"), /^DeviceNotOurs: .*somebody else/],
    ["another's port as an internal one", () => internal("theirs"), /^DeviceNotOurs: .*somebody else/],
    ["a bridge's own port", () => device("br-int"), /^DeviceNotOurs: /],
    ["a new internal port with the name of another bridge", () => internal("br-other"), /^DeviceNotOurs: /],
    ["a new internal port with the name of a device of the node", () => internal("plain0"), /^TargetPortFailed: /],
  ];
  for (const [title, port, why] of cases) it(`is refused: ${title}`, () => refused(port(), why));

  for (const name of [
    `$(touch ${TRACE})`,
    `;touch ${TRACE}`,
    "`id`",
    "--all",
    "a b",
    'x",y="z',
    "{a,b}",
    "x=y",
    "..",
    "../../etc",
    "%s%n",
    "ü",
  ])
    it(`is refused or used under its very name: ${JSON.stringify(name)}`, async () => {
      await refused(device(name), /^(TargetPortMissing|TargetPortFailed|DeviceNotOurs): /);
      const before = [await database(node), await flows(node), await links()];
      const status = await programmer.apply([{ name, direction: "Both", targetPort: internal(name), pods: [a] }]);
      const port = status.ports?.find((each) => each.name === name);
      assert.ok(port, JSON.stringify(status));
      if (port.ofport !== undefined) {
        const names = (JSON.parse(await node.exec("ip", "-j", "link")) as { ifname: string }[]).map(
          (link) => link.ifname,
        );
        assert.ok(names.includes(name), `there is no device ${name}`);
      }
      await programmer.apply([]);
      assert.deepEqual([await database(node), await flows(node), await links()], before);
      assert.ok(!existsSync(TRACE), "the name was run as a command");
    });
});
