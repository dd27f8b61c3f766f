/** The API objects that bringing up a cluster makes and waits for. */
import type { Api } from "./api";
import { nodeIndex, podSubnet } from "./places";

interface Condition {
  type: string;
  status: string;
  lastHeartbeatTime: string;
}

interface Node {
  spec: { taints?: { key: string }[] };
  status: { conditions?: Condition[] };
}

const WHILE_NOT_READY = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];

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

/** When the node's kubelet last said how the node is. */
export async function lastHeartbeat(api: Api, name: string): Promise<string | undefined> {
  return readiness(await api.get<Node>(`/api/v1/nodes/${name}`))?.lastHeartbeatTime;
}

/** Ready, by another heartbeat than `old`, and the taints are gone that keep Pods away meanwhile. */
export async function nodeReady(api: Api, name: string, old: string | undefined): Promise<boolean> {
  const node = await api.get<Node>(`/api/v1/nodes/${name}`);
  const ready = readiness(node);
  if (ready?.status !== "True" || ready.lastHeartbeatTime === old) return false;
  return !node?.spec.taints?.some(({ key }) => WHILE_NOT_READY.includes(key));
}

const readiness = (node: Node | undefined): Condition | undefined =>
  node?.status.conditions?.find(({ type }) => type === "Ready");

export async function defaultAccountExists(api: Api): Promise<boolean> {
  return (await api.get("/api/v1/namespaces/default/serviceaccounts/default")) !== undefined;
}
