/** Nodes on which a programmer cannot do its work for what is around it: it says what, and what to do. */
import assert from "node:assert/strict";
import { EXIT } from "@ovs-traffic-control/api";
import { Lab } from "../support/lab";
import type { LabNode, LabProgrammer } from "../support/lab";
import { database } from "../support/lab/contents";
import { planOf } from "../support/lab/programmer";

describe("a programmer", () => {
  let lab: Lab;
  let node: LabNode;
  let programmer: LabProgrammer;
  before(async () => {
    lab = await Lab.up({ nodes: { n1: ["a"] } });
    node = lab.node("n1");
  });
  beforeEach(async () => {
    programmer = await lab.programmer(node);
  });
  after(() => lab.down());

  it("whose ovs-vswitchd is in another network namespace refuses internal ports", async () => {
    const before = await database(node);
    programmer.start({ namespace: lab.collectorNamespace });
    const targetPort = { ovsInternal: { name: "tap1" } };
    const { rules = [] } = await programmer.apply([{ name: "x", direction: "Both", targetPort, pods: [lab.pod("a")] }]);
    assert.match(`${rules[0]?.reason} ${rules[0]?.message}`, /^TargetPortFailed .* another network namespace/);
    await programmer.apply([]);
    assert.equal(await database(node), before);
    await programmer.stop();
  });

  it("that may not use the database's socket names the modules that forbid it", async () => {
    await programmer.put(planOf([]));
    // Another user: the same error as SELinux makes for root.
    programmer.start({ once: true, as: ["setpriv", "--reuid=65534", "--clear-groups"] });
    assert.equal(await programmer.exit(), EXIT.ovsUnreachable);
    assert.match(programmer.log, /EACCES.*spc_t/);
  });

  it("whose run directory has no database names the setting", async () => {
    await programmer.put(planOf([]));
    programmer.start({ once: true, env: { OVS_RUNDIR: "/tmp/otc-no-such-directory" } });
    assert.equal(await programmer.exit(), EXIT.ovsUnreachable);
    assert.match(programmer.log, /ENOENT.*programmer\.ovsRunDirectory/);
  });
});
