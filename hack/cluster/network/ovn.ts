/**
 * The network `ovn`: a real OVN, laid out and named as OVN-Kubernetes does it in its local gateway mode. The machine has
 * the databases and northd (central.ts); each node an ovn-controller, a logical switch with its Pods, and a management
 * port, by which its own programs reach the Pods, and the Pods everything that is no Pod. Geneve runs between the nodes.
 * Left out: gateway routers, with br-ex; and the load balancers, because kube-proxy does the Services, as on `ovs`.
 */
import { systemOf } from "../cgroups";
import { script } from "../namespaces";
import { insideNode, nodeProgram } from "../node";
import { LOGGING } from "../open-vswitch";
import {
  hardwareAddress,
  nodeAddress,
  nodeIndex,
  POD_NETWORK,
  podAddress,
  podGateway,
  podSubnet,
  type Places,
} from "../places";
import { ensure, explained } from "../programs";
import { CLUSTER_ROUTER, NORTHBOUND, NORTHD, northbound, SOUTHBOUND, startCentral, CENTRAL_PROGRAMS } from "./central";
import type { PodNetwork } from "./network";

const MANAGEMENT_PORT = "ovn-k8s-mp0";
const managementAddress = (index: number): string => podAddress(index, 2);

export const ovn: PodNetwork = {
  purposes: ["ovn"],
  machinePrograms: CENTRAL_PROGRAMS,
  nodePrograms: (node) => [nodeProgram(node, "ovn-controller")],
  startCentral,
  connectNode,
  plugin: (index) => ({
    ports: "ovn-kubernetes",
    firstAddress: podAddress(index, 3),
    northbound: NORTHBOUND,
    switch: `node-${index}`,
  }),
  environment: { OVN_NB_DB: NORTHBOUND, OVN_SB_DB: SOUTHBOUND },
};

async function connectNode(places: Places, node: string, nodes: string[]): Promise<void> {
  await explained(places, NORTHD, addSwitch(places, node));
  const inNode = insideNode(places, node);
  const index = nodeIndex(node);
  const others = nodes.filter((other) => other !== node).map(nodeIndex);
  const bridge = script(
    `Making br-int of ${node}`,
    inNode,
    // Probes are for links that fail without a word; on a busy machine they end connections that are well.
    `ovs-vsctl -t 30 \
       -- set Open_vSwitch . external_ids:ovn-remote=${SOUTHBOUND} external_ids:ovn-monitor-all=true \
          external_ids:ovn-encap-type=geneve external_ids:ovn-encap-ip=${nodeAddress(index)} \
          external_ids:ovn-bridge-datapath-type=netdev \
          external_ids:ovn-remote-probe-interval=180000 external_ids:ovn-openflow-probe-interval=180 \
       -- --may-exist add-br br-int -- set Bridge br-int datapath_type=netdev fail_mode=secure \
       -- --may-exist add-port br-int ${MANAGEMENT_PORT} -- set Interface ${MANAGEMENT_PORT} type=internal mtu_request=1400 \
          mac='"${hardwareAddress(managementAddress(index))}"' external_ids:iface-id=k8s-${node}`,
  );
  await explained(places, nodeProgram(node, "ovs-vswitchd"), bridge);
  const name = nodeProgram(node, "ovn-controller");
  await ensure(places, { ...inNode, name, group: systemOf(node), argv: ["ovn-controller", "--pidfile", ...LOGGING] });
  const management = script(
    `Connecting ${node} with its Pods`,
    inNode,
    `ovs-vsctl -t 60 wait-until Interface ${MANAGEMENT_PORT} external_ids:ovn-installed=true
     ip link set ${MANAGEMENT_PORT} up
     ip address replace ${managementAddress(index)}/24 dev ${MANAGEMENT_PORT}
     ip route replace ${POD_NETWORK} via ${podGateway(index)}
     # Answers go another way than what was sent: to a Pod through OVN. Behind the node's address they come back here.
     outside="-s ${podSubnet(index)} -o br-phy -j MASQUERADE"
     iptables -w -t nat -C POSTROUTING $outside 2>/dev/null || iptables -w -t nat -A POSTROUTING $outside
     # Else the first packet of each tunnel is given up while ovs-vswitchd asks for the hardware address: at the start, and
     # whenever the tunnel was idle for a quarter of an hour. It accepts an hour at most.
     ovs-appctl tnl/neigh/aging 3600 >/dev/null
     ${others.map((other) => `ovs-appctl tnl/neigh/set br-phy ${nodeAddress(other)} ${hardwareAddress(nodeAddress(other))} >/dev/null`).join("\n")}`,
  );
  await explained(places, name, management);
}

/** The node's logical switch, its port of the cluster's router, and the way out for what is sent to no Pod. */
function addSwitch(places: Places, node: string): Promise<void> {
  const index = nodeIndex(node);
  const [gateway, management] = [podGateway(index), managementAddress(index)];
  return northbound(places, `Making the logical switch of ${node}`, [
    ["--may-exist", "ls-add", node],
    ["--may-exist", "lrp-add", CLUSTER_ROUTER, `rtos-${node}`, hardwareAddress(gateway), `${gateway}/24`],
    ["--may-exist", "lsp-add", node, `stor-${node}`],
    ["lsp-set-type", `stor-${node}`, "router"],
    ["lsp-set-addresses", `stor-${node}`, "router"],
    ["lsp-set-options", `stor-${node}`, `router-port=rtos-${node}`],
    ["--may-exist", "lsp-add", node, `k8s-${node}`],
    ["lsp-set-addresses", `k8s-${node}`, `${hardwareAddress(management)} ${management}`],
    ["--may-exist", "--policy=src-ip", "lr-route-add", CLUSTER_ROUTER, podSubnet(index), management],
  ]);
}
