/**
 * A pipeline on br-int that is neither NORMAL's nor OVN's: it knows each Pod by its MAC address, counts TTL down, and leads
 * ARP, neighbour discovery and what it does not know to all ports by name. Used by the packet tests of Mirror rows.
 */
import type { LabNode } from "./node";
import type { LabPod } from "./pod";

export async function installForeignPipeline(node: LabNode, pods: readonly LabPod[]): Promise<void> {
  const numbers = await Promise.all(pods.map(({ port }) => node.ofport(port)));
  const all = [...numbers, await node.ofport("eth1")].map((number) => `output:${number}`).join(",");
  const flows = [
    `table=0,priority=20,arp,actions=${all}`,
    ...[133, 134, 135, 136].map((type) => `table=0,priority=20,icmp6,icmp_type=${type},actions=${all}`),
    "table=0,priority=10,ip,actions=goto_table:10",
    "table=0,priority=10,ipv6,actions=goto_table:10",
    ...["ip", "ipv6"].flatMap((family) =>
      pods.map(
        ({ mac }, index) => `table=10,priority=10,${family},dl_dst=${mac},actions=dec_ttl,output:${numbers[index]}`,
      ),
    ),
    `table=10,priority=0,actions=${all}`,
  ];
  await node.ofctl("del-flows", "br-int");
  for (const flow of flows) await node.ofctl("add-flow", "br-int", flow);
}

/** The Pods' ports as Antrea's agent marks them, in place of ovs-cni's marks (pkg/ovs/ovsconfig, pkg/agent/cniserver, v2.x). */
export async function markAsAntrea(node: LabNode, pods: readonly LabPod[]): Promise<void> {
  for (const pod of pods) {
    const ids = {
      "antrea-type": "container",
      "attached-mac": pod.mac,
      "container-id": `${"0".repeat(56)}${pod.uid.slice(-8)}`,
      "ip-address": `${pod.address},${pod.address6}`,
      "pod-name": pod.name,
      "pod-namespace": "lab",
      "net-ns": `/run/netns/${pod.namespace}`,
    };
    const words = Object.entries(ids).map(([key, value]) => `external_ids:${key}="${value}"`);
    await node.vsctl("clear", "port", pod.port, "external_ids", "--", "set", "port", pod.port, ...words);
  }
}
