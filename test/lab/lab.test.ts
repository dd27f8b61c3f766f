/** The lab itself: what every other test of this folder relies on. */
import assert from "node:assert/strict";
import { Lab } from "../support/lab";

describe("the packet lab", () => {
  let lab: Lab;
  before(async () => {
    lab = await Lab.up({ nodes: { n1: ["a", "b"], n2: ["c"] } });
  });
  after(() => lab.down());

  it("lets Pods talk on one node and across nodes, over IPv4 and IPv6", async () => {
    const all = { sent: 5, received: 5, duplicates: 0 };
    for (const v6 of [false, true])
      for (const peer of ["b", "c"]) assert.deepEqual(await lab.pod("a").ping(lab.pod(peer), { v6 }), all);
  });

  it("counts packets exactly and tells their protocols apart", async () => {
    const capture = await lab.capture(lab.pod("b"), "eth0");
    await lab.pod("b").attempt("ip", "neigh", "flush", "dev", "eth0");
    await lab.pod("a").ping(lab.pod("b"), { count: 7, size: 100 });
    await lab.pod("b").ping(lab.pod("a"), { count: 3, size: 200, v6: true });
    const packets = await capture.stop();
    const count = (protocol: string, size?: number): number =>
      packets.filter((packet) => packet.protocol === protocol && packet.size === size).length;
    assert.deepEqual(
      [count("echo-request", 100), count("echo-reply", 100), count("echo-request", 200), count("echo-reply", 200)],
      [7, 7, 3, 3],
    );
    assert.ok(count("arp") > 0, "the neighbour had to be asked for");
    const request = packets.find(({ protocol, size }) => protocol === "echo-request" && size === 100)!;
    assert.equal(request.source, lab.pod("a").address);
    assert.equal(request.destinationMAC, lab.pod("b").mac);
  });
});
