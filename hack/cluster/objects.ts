/** The API objects that bringing up a cluster makes and waits for. */
import type { Api } from "./api";
import { nodeIndex, podSubnet } from "./places";

interface NodeList {
  items: {
    metadata: { name: string };
    spec: { taints?: { key: string }[] };
    status: { conditions?: { type: string; status: string }[] };
  }[];
}

/** The nodes with the Pod networks that are routed to them; the kubelets then find them there. */
export async function createNodes(api: Api, nodes: string[]): Promise<void> {
  for (const name of nodes) {
    const subnet = podSubnet(nodeIndex(name));
    const node = {
      apiVersion: "v1",
      kind: "Node",
      metadata: { name, labels: { "kubernetes.io/hostname": name } },
      spec: { podCIDR: subnet, podCIDRs: [subnet] },
    };
    const answer = await api.call("POST", "/api/v1/nodes", node);
    if (answer.status !== 201 && answer.status !== 409)
      throw new Error(`Creating the Node ${name}: the API server answered ${answer.status}: ${answer.text}`);
  }
}

/** Ready, and the taints are gone that keep Pods away meanwhile. */
export async function nodesReady(api: Api, names: string[]): Promise<boolean> {
  const list = await api.get<NodeList>("/api/v1/nodes");
  return names.every((name) => {
    const node = list?.items.find((item) => item.metadata.name === name);
    const ready = node?.status.conditions?.some(({ type, status }) => type === "Ready" && status === "True");
    return ready && !node?.spec.taints?.some(({ key }) => key.startsWith("node.kubernetes.io/not-ready"));
  });
}

export async function defaultAccountExists(api: Api): Promise<boolean> {
  return (await api.get("/api/v1/namespaces/default/serviceaccounts/default")) !== undefined;
}
