/** Devices behind targets that go and come back under the same name: copies reach the new one. The programmer is the real one. */
import assert from "node:assert/strict";
import { eventually } from "../support/e2e/eventually";
import { Lab } from "../support/lab";
import type { LabNode, LabPod, LabProgrammer } from "../support/lab";
import { ip } from "../support/lab/command";

const PINGS = 6;
const PATIENCE = { seconds: 60, pauseMilliseconds: 100 };

describe("a device that is deleted and made again under its name", function () {
  this.timeout(180_000);
  let lab: Lab;
  let node: LabNode;
  let programmer: LabProgrammer;
  let [a, c]: LabPod[] = [];
  before(async () => {
    lab = await Lab.up({ nodes: { n1: ["a"], n2: ["c"] } });
    node = lab.node("n1");
    [a, c] = [lab.pod("a"), lab.pod("c")];
    programmer = await lab.program(node);
    await a.ping(c);
  });
  after(() => lab.down());

  /** Each packet on the Pod's wire is copied once in the end. */
  const isExact = (device: string): Promise<boolean> =>
    eventually(
      "each packet is copied once",
      async () => {
        const captures = [
          await lab.capture(a!, "eth0", { filter: "icmp" }),
          await lab.capture(node, device, { filter: "icmp" }),
        ];
        await a!.ping(c!, { count: PINGS });
        const [wire, copied] = await Promise.all(captures.map(async (capture) => (await capture.stop()).length));
        assert.ok(wire! >= PINGS);
        assert.equal(copied, wire);
        return true;
      },
      PATIENCE,
    );

  for (const between of ["at once", "while the former is there under another name", "when its loss has been seen"])
    it(`gets the copies again: ${between}`, async () => {
      const name = between === "at once" ? "quick" : between.startsWith("while") ? "named" : "slow";
      const peer = await lab.addDevice(node, name);
      await programmer.apply([{ name: "x", direction: "Both", targetPort: { device: { name } }, pods: [a!] }]);
      await isExact(peer);
      if (between === "at once") {
        // In one process: nobody sees the moment in between.
        const again = `link add ${name} type veth peer name ${peer}`;
        const up = [name, peer].map((end) => `link set ${end} up`);
        await ip(node.namespace, [`link del ${name}`, again, ...up]);
      } else if (between.startsWith("while")) {
        await ip(node.namespace, [
          ...[name, peer].flatMap((end) => [`link set ${end} down`, `link set ${end} name old-${end}`]),
          `link add ${name} type veth peer name ${peer}`,
          ...[name, peer, `old-${name}`, `old-${peer}`].map((end) => `link set ${end} up`),
        ]);
      } else {
        await node.exec("ip", "link", "del", name);
        await programmer.status(({ conditions }) => conditions?.[0]?.status === "False");
        await lab.addDevice(node, name);
      }
      await isExact(peer);
      await programmer.apply([]);
      assert.deepEqual((await node.vsctl("list-ports", "br-int")).split("\n").sort(), ["eth1", a!.port].sort());
    });
});
