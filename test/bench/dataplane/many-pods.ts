/** Many Pods on one node, as far as the programmer can see: ports with ovs-cni's external_ids, but no traffic. Used by the sections. */
import type { LabNode } from "../../support/lab";
import type { PlannedPod } from "../../support/lab/programmer";
import { mac } from "./plan-sizes";

/** Ports are patch ports without a peer: Open vSwitch has them in no time, and they need no device. */
export async function attachPods(node: LabNode, count: number): Promise<PlannedPod[]> {
  const pods = Array.from({ length: count }, (_, index) => ({
    name: `pod-${index}`,
    uid: `00000000-0000-4000-9000-${index.toString().padStart(12, "0")}`,
    macs: [mac(index)],
  }));
  const words = pods.flatMap(({ uid }, index) => [
    ...["--", "add-port", "br-int", `p${index}`, "--", "set", "interface", `p${index}`, "type=patch"],
    ...[`options:peer=q${index}`, "--", "set", "port", `p${index}`, `external_ids:contPodUid=${uid}`],
  ]);
  await node.vsctl(...words);
  return pods;
}
