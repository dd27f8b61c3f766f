/** The lab itself: what every other test of this folder relies on. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { Lab } from "../support/lab";
import type { Frame } from "../support/lab";
import { run } from "../support/lab/command";
import { vacateOrphans } from "../support/lab/place";

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
    await lab.pod("a").ping(lab.pod("b"), { count: 7 });
    await lab.pod("b").ping(lab.pod("a"), { count: 3, v6: true });
    const packets = await capture.stop();
    const count = (test: (frame: Frame) => boolean): number => packets.filter(({ inner }) => test(inner)).length;
    assert.deepEqual(
      [8, 0].map((type) => count(({ protocol, icmpType }) => protocol === "icmp" && icmpType === type)),
      [7, 7],
    );
    assert.deepEqual(
      [128, 129].map((type) => count(({ icmpType }) => icmpType === type)),
      [3, 3],
    );
    assert.ok(count(({ protocol }) => protocol === "arp") > 0, "the neighbour had to be asked for");
    const request = packets.find(({ inner }) => inner.icmpType === 8)!.inner;
    assert.equal(request.source, lab.pod("a").address);
    assert.equal(request.destinationMAC, lab.pod("b").mac);
  });

  it("cleans up after a run that was killed, and leaves a running one alone", async () => {
    const child = spawn(process.execPath, ["--import", "tsx", path.join(import.meta.dirname, "crashing-lab.ts")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [output] = (await once(child.stdout, "data")) as [Buffer];
    const namespace = output.toString().trim();
    const exists = async (name: string): Promise<boolean> =>
      (await run("ip", ["netns", "list"])).split("\n").some((line) => line.split(" ")[0] === name);
    assert.ok(await exists(namespace));
    vacateOrphans();
    assert.ok(await exists(namespace), "its process still runs");
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
    vacateOrphans();
    assert.ok(!(await exists(namespace)));
    assert.ok(await exists(lab.node("n1").namespace), "this lab is in use");
    assert.equal((await lab.pod("a").ping(lab.pod("c"), { count: 1 })).received, 1);
  });
});
