import assert from "node:assert/strict";
import { ANNOTATIONS, type TrafficControl } from "@ovs-traffic-control/api";
import {
  manifestsIn,
  preview,
  previewText,
  readDryRun,
  type Preview,
} from "../../../packages/kubectl-trafficcontrol/src/preview";
import { NOT_INSTALLED, rawNamespace, rawPod, REDIRECT, trafficControl } from "./samples";

const NOW = new Date("2026-02-01T00:00:00Z");
const pods = [rawPod("web-1", { app: "web" }), rawPod("web-2", { app: "web" }, { nodeName: "node-2" })];
const nodes = ["node-1", "node-2"].map((name) => ({ metadata: { name, uid: `uid-${name}` } }));

function previewed(wanted: TrafficControl, existing: TrafficControl[] = [], namespace = rawNamespace()): Preview {
  const manifest = { ...wanted, metadata: { name: wanted.metadata.name } };
  const dryRun = { manifest, isAccepted: true, said: "created", warnings: [] };
  const contents = { trafficControls: existing, pods, namespaces: [namespace], nodes, installation: NOT_INSTALLED };
  return preview([dryRun], contents, NOW)[0]!;
}

describe("preview", () => {
  it("names Pods and nodes, and whether the target port is there already", () => {
    const elsewhere = trafficControl("other", { appliedTo: { podSelector: { matchLabels: { app: "web" } } } });
    assert.deepEqual(previewed(trafficControl("tap")).nodes, [
      { node: "node-1", pods: ["shop/web-1"], port: "new" },
      { node: "node-2", pods: ["shop/web-2"], port: "new" },
    ]);
    assert.deepEqual(
      previewed(trafficControl("tap"), [elsewhere]).nodes.map(({ port }) => port),
      ["there", "there"],
    );
  });

  it("counts Pods that have opted out, and those that are the collector", () => {
    const out = previewed(trafficControl("tap"), [], rawNamespace({ [ANNOTATIONS.optOut]: "true" }));
    assert.deepEqual([out.pods, out.optedOut], [0, 2]);
    const own = previewed(trafficControl("tap", { targetPort: { vxlan: { remoteIP: "10.244.1.5" } } }));
    assert.deepEqual(own.collectors, ["shop/web-1", "shop/web-2"]);
  });

  it("says by whom the new one would be beaten", () => {
    const older = trafficControl("older", { targetPort: { ovsInternal: { name: "tap0" } } });
    const clash = previewed(trafficControl("tap", { targetPort: { device: { name: "tap0" } } }), [older]);
    assert.match(
      clash.conflicts[0] ?? "",
      /^It would be out of force: TrafficControl older, which is older, uses port tap0/,
    );
    const second = previewed(trafficControl("young", REDIRECT), [trafficControl("old", REDIRECT)]);
    assert.deepEqual(second.conflicts, ["TrafficControl old, which is older, redirects 2 Pods of it instead."]);
  });

  it("says what a changed older one takes away from others", () => {
    const old = trafficControl("old", {}, 0);
    const young = trafficControl("young", REDIRECT, 1);
    const changed = previewed(trafficControl("old", REDIRECT), [old, young]);
    assert.deepEqual(changed.conflicts, [
      "For TrafficControl young: TrafficControl old, which is older, redirects 2 Pods of it instead.",
    ]);
  });

  it("shows the API server's refusal and nothing else", () => {
    const manifest = trafficControl("tap");
    const answer = { exitCode: 1, stdout: "", stderr: "Warning: careful\nError from server (Forbidden): no\n" };
    const dryRun = readDryRun(manifest, answer);
    const contents = { trafficControls: [], pods, namespaces: [rawNamespace()], nodes, installation: NOT_INSTALLED };
    assert.equal(
      previewText(preview([dryRun], contents, NOW)),
      "TrafficControl tap would be refused:\nError from server (Forbidden): no\nWarning: careful",
    );
  });

  it("finds TrafficControls in a file of several documents and in a list, and names the rest", () => {
    const tap = JSON.stringify(trafficControl("tap"));
    const found = manifestsIn(`${tap}\n---\nkind: ConfigMap\n---\nkind: List\nitems: [${tap}]\n`);
    assert.deepEqual([found.trafficControls.length, found.others], [2, ["ConfigMap"]]);
    assert.throws(() => manifestsIn("a: [b"), /The file is no YAML/);
  });
});
