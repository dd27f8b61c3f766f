/** The files that a node's programs read. */
import assert from "node:assert/strict";
import { cniConfiguration, kubeletConfiguration } from "../../../hack/cluster/configuration";
import { Places } from "../../../hack/cluster/places";

describe("the configuration of a node", () => {
  it("has its own Pod network and gateway", () => {
    const { plugins } = JSON.parse(cniConfiguration(7)) as { plugins: { ipam: object }[] };
    assert.deepEqual(plugins[0]?.ipam, { type: "host-local", subnet: "10.244.7.0/24", gateway: "10.244.7.1" });
  });

  it("puts the Pods of two clusters' nodes of one name into different cgroups", () => {
    const root = (cluster: string): unknown =>
      (JSON.parse(kubeletConfiguration(new Places(cluster), "node-1")) as { cgroupRoot: string }).cgroupRoot;
    assert.equal(root("one"), "/ovs-traffic-control-one/node-1");
    assert.notEqual(root("one"), root("two"));
  });
});
