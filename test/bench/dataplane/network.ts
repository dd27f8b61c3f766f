/** The networks that the data plane is measured on: a lab of each, with Pods that are only rows. Used by the sections. */
import { eventually } from "../../support/e2e/eventually";
import { Lab } from "../../support/lab";
import { value } from "../../support/lab-result";
import type { LabNode } from "../../support/lab";
import type { PlannedPod } from "../../support/lab/programmer";
import { attachPods } from "./many-pods";
import { mac } from "./plan-sizes";

export type NetworkName = "ovs" | "ovn";

/** Logical switch of OVN on which the Pods are that are only rows. */
const SWITCH = 9;
/** Ports in one call of ovn-nbctl or ovs-vsctl. */
const BATCH = 100;

/** A lab with these Pods: on OVN each on a logical switch of its own number, all Pods reach each other through its router. */
export function labOn(
  network: NetworkName,
  nodes: Readonly<Record<string, Readonly<Record<string, number>>>>,
): Promise<Lab> {
  const names = Object.fromEntries(Object.entries(nodes).map(([node, pods]) => [node, Object.keys(pods)]));
  const switches = Object.fromEntries(Object.values(nodes).flatMap((pods) => Object.entries(pods)));
  return Lab.up({ nodes: names, ...(network === "ovn" ? { ovn: switches } : {}) });
}

/** `count` more Pods on a node, without traffic; returns once OVN has bound them. */
export async function attachMany(lab: Lab, node: LabNode, network: NetworkName, count: number): Promise<PlannedPod[]> {
  return network === "ovs" ? attachPods(node, count) : attachToOvn(lab, node, count);
}

/** Ports that OVN delivers to. */
async function bound(node: LabNode): Promise<number> {
  const flows = value(await node.openflow.dumpFlows("br-int", { table: 65 }));
  return flows.filter(({ actions }) => /output:\d+/.test(actions)).length;
}

async function attachToOvn(lab: Lab, node: LabNode, count: number): Promise<PlannedPod[]> {
  const pods = Array.from({ length: count }, (_, index) => ({
    name: `pod-${index}`,
    uid: `00000000-0000-4000-9000-${index.toString().padStart(12, "0")}`,
    // Not those of the lab's own Pods.
    macs: [mac(0x1000 + index)],
  }));
  for (let at = 0; at < count; at += BATCH) {
    const some = pods.slice(at, at + BATCH);
    const words = some.flatMap(({ name, macs }) => [
      ...["--", "lsp-add", `sw${SWITCH}`, `lab_${name}`, "--", "lsp-set-addresses", `lab_${name}`, macs[0]!],
    ]);
    await lab.ovn.nbctl(...words.slice(1));
  }
  const attach = pods.map(({ uid, name, macs }, index) => [
    ...["--", "add-port", "br-int", `p${index}`, "--", "set", "interface", `p${index}`, "type=patch"],
    ...[`options:peer=q${index}`, `external_ids:iface-id=lab_${name}`, `external_ids:iface-id-ver=${uid}`],
    ...[`external_ids:attached_mac="${macs[0]!}"`, "external_ids:sandbox=1"],
  ]);
  for (let at = 0; at < count; at += BATCH) await node.vsctl(...attach.slice(at, at + BATCH).flat());
  await eventually("OVN has bound every Pod", async () => (await bound(node)) >= count, { seconds: 240 });
  return pods;
}
