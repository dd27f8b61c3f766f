/**
 * One node: a network namespace, a private mount namespace held by a sleeping process, and in them Open vSwitch,
 * containerd, kubelet and kube-proxy. Every step looks at what is there first, so that it mends a half-dead node.
 */
import { execa } from "execa";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import path from "node:path";
import type { Binaries } from "../toolchain";
import { processesIn, systemOf } from "./cgroups";
import { cniConfiguration, containerdConfiguration, kubeletConfiguration } from "./configuration";
import { addNamespace, inside, namespaceExists, script } from "./namespaces";
import {
  MACHINE_ADDRESS,
  nodeAddress,
  nodeIndex,
  podGateway,
  podSubnet,
  POD_NETWORK,
  uplink,
  type Places,
} from "./places";
import { ensure, killAll, runningPid, until, type Program } from "./programs";

const OVS_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema";
/** To standard error, which is the program's log. */
const OVS_LOGGING = ["-vsyslog:off", "-vfile:off", "-vconsole:info"];
const PROGRAMS = ["mounts", "ovsdb-server", "ovs-vswitchd", "containerd", "kubelet", "kube-proxy"] as const;
export type NodeProgram = (typeof PROGRAMS)[number];

/** The name of a node's program among the cluster's. */
export const nodeProgram = (node: string, program: NodeProgram): string => `${node}-${program}`;
export const nodePrograms = (node: string): string[] => PROGRAMS.map((program) => nodeProgram(node, program));

/** Process id of the one that holds the node's mount namespace. */
export const mountHolder = (places: Places, node: string): number | undefined =>
  runningPid(places, nodeProgram(node, "mounts"));

/** Namespaces and the cable to the underlay. A node that has lost one of its namespaces is rebuilt, as if rebooted. */
export async function makeNode(places: Places, node: string): Promise<void> {
  const index = nodeIndex(node);
  const network = places.nodeNamespace(node);
  const cable = await execa("ip", ["-n", places.machineNamespace, "link", "show", uplink(index)], { reject: false });
  if (!namespaceExists(network) || cable.exitCode !== 0 || mountHolder(places, node) === undefined) {
    await killAll([
      ...processesIn(path.join(places.cgroup, node)),
      ...processesIn(path.join(places.cgroup, systemOf(node))),
    ]);
    if (cable.exitCode === 0) await execa("ip", ["-n", places.machineNamespace, "link", "delete", uplink(index)]);
  }
  await addNamespace(network);
  await script(
    places.machineNamespace,
    undefined,
    `ip link show ${uplink(index)} >/dev/null 2>&1 || ip link add ${uplink(index)} type veth peer name eth0 netns ${network}
     ip link set ${uplink(index)} master ul0 up
     ethtool -K ${uplink(index)} tx off >/dev/null
     ip route replace ${podSubnet(index)} via ${nodeAddress(index)}`,
  );
  await script(
    network,
    undefined,
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
  const mounts = path.join(import.meta.dirname, "mounts.sh");
  const argv = ["unshare", "--mount", "--propagation", "private", "sh", "-euc", readFileSync(mounts, "utf8")];
  await ensure(places, {
    name,
    group: systemOf(node),
    network: places.nodeNamespace(node),
    argv: [...argv, "mounts", directory],
  });
  await until(places, `the mounts of ${node} are there`, name, () => existsSync(done));
}

/** Open vSwitch with the node's own address on br-phy and the Pods on br-int. */
export async function startOpenvSwitch(places: Places, node: string): Promise<void> {
  const directory = path.join(places.node(node), "ovs");
  const database = path.join(directory, "conf.db");
  if (!existsSync(database)) await execa("ovsdb-tool", ["create", database, OVS_SCHEMA]);
  const where = whereabouts(places, node);
  const ovsdb = nodeProgram(node, "ovsdb-server");
  await ensure(places, {
    ...where,
    name: ovsdb,
    argv: ["ovsdb-server", database, "--remote=punix:/run/openvswitch/db.sock", "--pidfile", ...OVS_LOGGING],
  });
  await until(places, "ovsdb-server answers", ovsdb, () => answers(places, node, "/run/openvswitch/db.sock"));
  const index = nodeIndex(node);
  await script(
    where.network,
    where.mountsOf,
    `ovs-vsctl -t 10 --no-wait -- init -- set Open_vSwitch . external_ids:system-id=${node} external_ids:hostname=${node}`,
  );
  const vswitchd = nodeProgram(node, "ovs-vswitchd");
  await ensure(places, {
    ...where,
    name: vswitchd,
    argv: ["ovs-vswitchd", "--pidfile", ...OVS_LOGGING],
  });
  const mac = (bridge: number): string => `0a:58:0a:f4:${index.toString(16).padStart(2, "0")}:0${bridge}`;
  await script(
    where.network,
    where.mountsOf,
    // Fixed addresses of the bridges: their own choice changes with their ports, and neighbours remember the old one.
    `ovs-vsctl -t 30 \
       -- --may-exist add-br br-phy -- set Bridge br-phy datapath_type=netdev other-config:hwaddr=${mac(1)} \
       -- --may-exist add-port br-phy eth0 \
       -- --may-exist add-br br-int -- set Bridge br-int datapath_type=netdev other-config:hwaddr=${mac(2)} \
       -- set Interface br-int mtu_request=1400
     ip address replace ${nodeAddress(index)}/24 dev br-phy
     ip link set br-phy up
     ip address replace ${podGateway(index)}/24 dev br-int
     ip link set br-int up
     ip route replace default via ${MACHINE_ADDRESS}`,
  );
}

/** Routes to the other nodes' Pods. */
export async function routeToNodes(places: Places, node: string, nodes: string[]): Promise<void> {
  const others = nodes.filter((other) => other !== node).map(nodeIndex);
  const routes = others.map((index) => `ip route replace ${podSubnet(index)} via ${nodeAddress(index)}`);
  await script(places.nodeNamespace(node), undefined, routes.join("\n"));
}

export async function startContainerd(places: Places, node: string): Promise<void> {
  const directory = places.node(node);
  const file = path.join(directory, "containerd.toml");
  const configuration = containerdConfiguration(path.join(places.state, "cni-plugins"));
  await writeFile(file, configuration);
  await writeFile(path.join(directory, "cni-conf", "10-ovs.conflist"), cniConfiguration(nodeIndex(node)));
  const name = nodeProgram(node, "containerd");
  const where = whereabouts(places, node);
  await ensure(places, { ...where, name, configuration, argv: ["containerd", "--config", file] });
  await until(places, "containerd answers", name, () => answers(places, node, "/run/containerd/containerd.sock"));
}

/** Imports an image archive. */
export async function importImages(places: Places, node: string, archive: string): Promise<void> {
  const ctr = ["ctr", "--namespace", "k8s.io", "images", "import", archive];
  const [file, ...args] = inside(places.nodeNamespace(node), mountHolder(places, node), ctr);
  await execa(file, args, { stdin: "ignore" });
}

/** They need an API server that answers: without one they wait longer and longer between attempts. */
export async function startKubelet(places: Places, node: string, binaries: Binaries): Promise<void> {
  const directory = places.node(node);
  const where = whereabouts(places, node);
  const configuration = kubeletConfiguration(places, node);
  const file = path.join(directory, "kubelet.json");
  await writeFile(file, configuration);
  await ensure(places, {
    ...where,
    name: nodeProgram(node, "kubelet"),
    configuration,
    argv: [
      binaries.kubelet,
      `--config=${file}`,
      `--kubeconfig=${path.join(places.pki, `${node}.kubeconfig`)}`,
      `--hostname-override=${node}`,
      `--node-ip=${nodeAddress(nodeIndex(node))}`,
      "--root-dir=/var/lib/kubelet",
    ],
  });
  await ensure(places, {
    ...where,
    name: nodeProgram(node, "kube-proxy"),
    argv: [
      binaries["kube-proxy"],
      `--kubeconfig=${path.join(places.pki, "proxy.kubeconfig")}`,
      `--hostname-override=${node}`,
      `--cluster-cidr=${POD_NETWORK}`,
      "--proxy-mode=iptables",
      // Else a Service whose client and endpoint share a node times out: the answer goes straight through br-int.
      "--masquerade-all",
      "--conntrack-max-per-core=0",
      "--oom-score-adj=0",
    ],
  });
}

function whereabouts(
  places: Places,
  node: string,
): Pick<Program, "group" | "network" | "mountsOf"> & { mountsOf: number } {
  const mountsOf = mountHolder(places, node);
  if (mountsOf === undefined) throw new Error(`${node} of cluster ${places.name} is down: mend it with "up"`);
  return { group: systemOf(node), network: places.nodeNamespace(node), mountsOf };
}

/** Whether somebody listens on a Unix socket inside the node. */
function answers(places: Places, node: string, socket: string): Promise<boolean> {
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
