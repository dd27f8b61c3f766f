/**
 * A node's place: a network namespace, and a private mount namespace held by a sleeping process. The programs in it are in
 * open-vswitch.ts, containerd.ts and kubelet.ts. Every step looks at what is there first, so it mends a half-dead node.
 */
import { execa } from "execa";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { connect } from "node:net";
import path from "node:path";
import { processesIn, systemOf } from "./cgroups";
import { addNamespace, namespaceExists, removeNamespace, script, type Whereabouts } from "./namespaces";
import { nodeAddress, nodeIndex, podSubnet, uplink, type Places } from "./places";
import { ensure, killAll, runningPid, until } from "./programs";

const PROGRAMS = ["mounts", "ovsdb-server", "ovs-vswitchd", "containerd", "kubelet", "kube-proxy"] as const;
type NodeProgram = (typeof PROGRAMS)[number] | "ovn-controller";

/** The name of a node's program among the cluster's. */
export const nodeProgram = (node: string, program: NodeProgram): string => `${node}-${program}`;
/** Those of every network; a network can have its own beside them. */
export const nodePrograms = (node: string): string[] => PROGRAMS.map((program) => nodeProgram(node, program));

/** Process id of the one that holds the node's mount namespace. */
const mountHolder = (places: Places, node: string): number | undefined =>
  runningPid(places, nodeProgram(node, "mounts"));

/** Inside the node; throws if it is down. */
export function insideNode(places: Places, node: string): Required<Whereabouts> {
  const mountsOf = mountHolder(places, node);
  if (mountsOf !== undefined) return { network: places.nodeNamespace(node), mountsOf };
  throw new Error(`${node} of cluster ${places.name} is down. Mend it: npm run cluster -- up --name ${places.name}`);
}

/** Namespaces and the cable to the underlay. A node that has lost one of them is rebuilt, as if it had been rebooted. */
export async function makeNode(places: Places, node: string): Promise<void> {
  const index = nodeIndex(node);
  const network = places.nodeNamespace(node);
  const machine = { network: places.machineNamespace };
  const cable = await execa("ip", ["-n", machine.network, "link", "show", uplink(index)], { reject: false });
  if (!namespaceExists(network) || cable.exitCode !== 0 || mountHolder(places, node) === undefined) {
    const groups = [node, systemOf(node)].map((group) => path.join(places.cgroup, group));
    await killAll(groups.flatMap(processesIn));
    if (cable.exitCode === 0) await execa("ip", ["-n", machine.network, "link", "delete", uplink(index)]);
    await removeNamespace(network);
  }
  await addNamespace(network);
  await script(
    `Connecting ${node}`,
    machine,
    `ip link show ${uplink(index)} >/dev/null 2>&1 || ip link add ${uplink(index)} type veth peer name eth0 netns ${network}
     ip link set ${uplink(index)} master ul0 up
     ethtool -K ${uplink(index)} tx off >/dev/null
     ip route replace ${podSubnet(index)} via ${nodeAddress(index)}`,
  );
  await script(
    `Setting up the network of ${node}`,
    { network },
    `ip link set lo up
     ip link set eth0 up
     ethtool -K eth0 tx off >/dev/null # the userspace datapath does not finish partial checksums
     cd /proc/sys/net/ipv4
     echo 1 >ip_forward; echo 0 >conf/all/rp_filter; echo 0 >conf/default/rp_filter
     # Else the kernel answers ARP for the gateway on the Pods' veths, and their traffic passes by Open vSwitch.
     echo 1 >conf/all/arp_ignore`,
  );
  await holdMounts(places, node);
}

/** Starts the process that holds the mount namespace; mounts.sh says what is in there. */
async function holdMounts(places: Places, node: string): Promise<void> {
  const directory = places.node(node);
  const done = path.join(directory, "mounted");
  for (const name of ["kubelet", "containerd", "cni", "cni-conf", "log", "ovs", "cgroup"])
    await mkdir(path.join(directory, name), { recursive: true });
  const name = nodeProgram(node, "mounts");
  if (runningPid(places, name) === undefined) await rm(done, { force: true });
  const mounts = readFileSync(path.join(import.meta.dirname, "mounts.sh"), "utf8");
  const argv = ["unshare", "--mount", "--propagation", "private", "sh", "-euc", mounts, "mounts", directory];
  await ensure(places, { name, group: systemOf(node), network: places.nodeNamespace(node), argv });
  await until(places, `the mounts of ${node} are there`, name, () => existsSync(done));
}

/** Whether somebody listens on a Unix socket inside the node. */
export function answers(places: Places, node: string, socket: string): Promise<boolean> {
  const holder = mountHolder(places, node);
  if (holder === undefined) return Promise.resolve(false);
  return new Promise((resolve) => {
    const connection = connect(`/proc/${holder}/root${socket}`);
    connection.once("connect", () => {
      connection.destroy();
      resolve(true);
    });
    connection.once("error", () => resolve(false));
  });
}
