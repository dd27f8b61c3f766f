/** The files that a node's programs read. */
import assert from "node:assert/strict";
import { cniConfiguration, kubeletConfiguration } from "../../../hack/cluster/configuration";
import { NETWORKS, type NetworkName } from "../../../hack/cluster/network";
import { Places } from "../../../hack/cluster/places";

describe("the configuration of a node", () => {
  const plugin = (index: number, network: NetworkName): Record<string, unknown> =>
    (JSON.parse(cniConfiguration(index, NETWORKS[network])) as { plugins: Record<string, unknown>[] }).plugins[0]!;

  it("has its own Pod network and gateway", () => {
    const { ipam, ports } = plugin(7, "ovs");
    assert.deepEqual(ipam, {
      ...{ type: "host-local", subnet: "10.244.7.0/24", rangeStart: "10.244.7.2", gateway: "10.244.7.1" },
    });
    assert.equal(ports, "ovs-cni");
  });

  it("names the node's logical switch on OVN, and keeps the address of its management port from the Pods", () => {
    const { ipam, ...rest } = plugin(7, "ovn");
    assert.equal((ipam as { rangeStart: string }).rangeStart, "10.244.7.3");
    assert.deepEqual([rest["ports"], rest["switch"]], ["ovn-kubernetes", "node-7"]);
  });

  it("puts the Pods of two clusters' nodes of one name into different cgroups", () => {
    const root = (cluster: string): unknown =>
      (JSON.parse(kubeletConfiguration(new Places(cluster), "node-1")) as { cgroupRoot: string }).cgroupRoot;
    assert.equal(root("one"), "/ovs-traffic-control-one/node-1");
    assert.notEqual(root("one"), root("two"));
  });
});
