import assert from "node:assert/strict";
import { statusRows, statusText } from "../../../packages/kubectl-trafficcontrol/src/status";
import { plan, rawPod, trafficControl } from "./samples";

const web = rawPod("web-1", { app: "web" });
const ready = {
  type: "Ready",
  status: "True" as const,
  reason: "Realized",
  message: "Mirroring.",
  lastTransitionTime: "2026-01-01T00:00:00Z",
};
const reported = {
  ...trafficControl("tap"),
  status: { desiredNodes: 2, realizedNodes: 2, selectedPods: 2, conditions: [ready] },
};

describe("status", () => {
  it("adds up the packets of all nodes", () => {
    const [row] = statusRows([reported], [plan(["tap"], web), plan(["tap"], web), plan(["other"], web)]);
    assert.deepEqual([row?.packets, row?.bytes, row?.problems, row?.ready], [10, 1000, [], "True"]);
  });

  it("says that nobody has reported on a TrafficControl yet", () => {
    const text = statusText(statusRows([trafficControl("tap")], []), "table");
    assert.match(text, /Unknown +0\/0 +0 +0 +NotReported/);
    assert.match(text, /^tap: No controller has reported on it yet/m);
  });

  it("names each pending Pod, else what is wrong with the node", () => {
    const rule = { name: "tap", uid: "uid-tap", generation: 1, realizedPods: 0 };
    const pendingPods = [{ namespace: "shop", name: "web-1", reason: "NoOVSPort", message: "no port" }];
    const unwell = { ...ready, status: "False" as const, reason: "OVSUnreachable", message: "no db.sock" };
    const problems = (status: Parameters<typeof plan>[2]): string[] =>
      statusRows([reported], [plan(["tap"], web, status)]).flatMap((row) =>
        row.problems.map(({ node, pod, reason }) => `${node} ${pod ?? "-"} ${reason}`),
      );
    assert.deepEqual(problems({ rules: [{ ...rule, pendingPods }] }), ["node-1 shop/web-1 NoOVSPort"]);
    assert.deepEqual(problems({ conditions: [unwell] }), ["node-1 - OVSUnreachable"]);
    assert.deepEqual(problems({ observedHash: "before" }), ["node-1 - Programming"]);
    const port = { name: "tc0", bridge: "br-int", kind: "vxlan", message: "long copies do not fit" };
    assert.deepEqual(problems({ ports: [port] }), ["node-1 - Port tc0"]);
    assert.deepEqual(problems({ ports: [{ ...port, kind: "geneve" }] }), [], "another's port");
    assert.deepEqual(problems({ conditions: [{ ...unwell, reason: "TargetPortMissing" }] }), [], "another's trouble");
  });

  it("says what to do where there is nothing", () => {
    assert.match(statusText([], "table"), /There are no TrafficControls\. Make one/);
  });
});
