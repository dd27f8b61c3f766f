/** A node's kubelet and kube-proxy. */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import type { Binaries } from "../toolchain";
import { systemOf } from "./cgroups";
import { kubeletConfiguration } from "./configuration";
import { run } from "./namespaces";
import { insideNode, nodeProgram } from "./node";
import { API_SERVICE, nodeAddress, nodeIndex, POD_NETWORK, type Places } from "./places";
import { ensure } from "./programs";

/** Needs an API server that answers: else it waits longer and longer. True if it was not running. */
export async function startKubelet(places: Places, node: string, binaries: Binaries): Promise<boolean> {
  const configuration = kubeletConfiguration(places, node);
  const file = path.join(places.node(node), "kubelet.json");
  await writeFile(file, configuration);
  const argv = [
    binaries.kubelet,
    `--config=${file}`,
    `--kubeconfig=${path.join(places.pki, `${node}.kubeconfig`)}`,
    `--hostname-override=${node}`,
    `--node-ip=${nodeAddress(nodeIndex(node))}`,
    "--root-dir=/var/lib/kubelet",
  ];
  const name = nodeProgram(node, "kubelet");
  return ensure(places, { ...insideNode(places, node), name, group: systemOf(node), configuration, argv });
}

/** Needs an API server that answers. */
export async function startKubeProxy(places: Places, node: string, binaries: Binaries): Promise<void> {
  const argv = [
    binaries["kube-proxy"],
    `--kubeconfig=${path.join(places.pki, "proxy.kubeconfig")}`,
    `--hostname-override=${node}`,
    `--cluster-cidr=${POD_NETWORK}`,
    "--proxy-mode=iptables",
    // Else a Service whose client and endpoint share a node times out: the answer goes straight through br-int.
    "--masquerade-all",
    "--conntrack-max-per-core=0",
    "--oom-score-adj=0",
  ];
  const name = nodeProgram(node, "kube-proxy");
  await ensure(places, { ...insideNode(places, node), name, group: systemOf(node), argv });
}

/** Whether kube-proxy has done its work for the first Service, the API server's own. */
export async function servicesWork(places: Places, node: string): Promise<boolean> {
  const where = { network: places.nodeNamespace(node) };
  const rules = await run(`Reading the NAT rules of ${node}`, where, ["iptables-save", "--table", "nat"]);
  return rules.includes(`-d ${API_SERVICE}/32`);
}
