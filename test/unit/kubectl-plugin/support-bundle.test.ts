import assert from "node:assert/strict";
import { cleaned, items, itemsOfPod } from "../../../packages/kubectl-trafficcontrol/src/support-bundle";
import { installation } from "../../../packages/kubectl-trafficcontrol/src/installation";
import { NOT_INSTALLED } from "./samples";

describe("support-bundle", () => {
  it("asks for no Secret and no ConfigMap", () => {
    const pod = { namespace: "ovs-traffic-control", name: "controller-1", component: "controller" };
    const asked = [...items(NOT_INSTALLED), ...itemsOfPod(pod)].map(({ args }) => args.join(" "));
    assert.ok(asked.length > 15);
    assert.deepEqual(
      asked.filter((args) => /secret|configmap|\ball\b(?!-)/i.test(args)),
      [],
    );
  });

  it("leaves out what kubectl has written down beside an object", () => {
    const annotations = { "kubectl.kubernetes.io/last-applied-configuration": "{}", mine: "1" };
    const text = cleaned(JSON.stringify({ metadata: { managedFields: [{}], annotations, name: "x" } }));
    assert.equal(text, 'metadata:\n  annotations:\n    mine: "1"\n  name: x\n');
  });
});

describe("where the operator is", () => {
  it("is said by its controller's Deployment, whatever the Namespace", () => {
    const env = [
      { name: "NODES_NAMESPACE", value: "nodes" },
      { name: "NAMESPACE_OPT_OUT", value: "false" },
    ];
    const deployment = { metadata: { namespace: "tc" }, spec: { template: { spec: { containers: [{ env }] } } } };
    const { isThere, namespace, nodesNamespace, honoursOptOut } = installation([deployment]);
    assert.deepEqual([isThere, namespace, nodesNamespace, honoursOptOut], [true, "tc", "nodes", false]);
    assert.equal(installation([]).isThere, false);
  });
});
