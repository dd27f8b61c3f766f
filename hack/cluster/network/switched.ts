/** The network `ovs`: br-int of each node switches, and is the Pods' gateway; the nodes' kernels route between them. */
import { script } from "../namespaces";
import { insideNode, nodeProgram } from "../node";
import { hardwareAddress, nodeAddress, nodeIndex, podAddress, podGateway, podSubnet, type Places } from "../places";
import { explained } from "../programs";
import type { PodNetwork } from "./network";

export const switched: PodNetwork = {
  purposes: [],
  machinePrograms: [],
  nodePrograms: () => [],
  startCentral: () => Promise.resolve(),
  connectNode,
  plugin: (index) => ({ ports: "ovs-cni", firstAddress: podAddress(index, 2) }),
  environment: {},
};

async function connectNode(places: Places, node: string, nodes: string[]): Promise<void> {
  const index = nodeIndex(node);
  const others = nodes.filter((other) => other !== node).map(nodeIndex);
  const bridge = script(
    `Making br-int of ${node}`,
    insideNode(places, node),
    // A fixed address: the bridge's own choice changes with its ports, and neighbours remember the old one.
    `ovs-vsctl -t 30 \
       -- --may-exist add-br br-int -- set Bridge br-int datapath_type=netdev other-config:hwaddr=${hardwareAddress(podGateway(index))} \
       -- set Interface br-int mtu_request=1400
     ip address replace ${podGateway(index)}/24 dev br-int
     ip link set br-int up
     ${others.map((other) => `ip route replace ${podSubnet(other)} via ${nodeAddress(other)}`).join("\n")}`,
  );
  await explained(places, nodeProgram(node, "ovs-vswitchd"), bridge);
}
