/**
 * Names and addresses of a cluster's parts, all derived from its name: several clusters run at once. Pure, but for the
 * environment variables that say where state is kept.
 */
import { homedir } from "node:os";
import path from "node:path";

export const DEFAULT_NAME = "dev";
export const MACHINE_ADDRESS = "172.31.0.1";
export const POD_NETWORK = "10.244.0.0/16";
export const SERVICE_NETWORK = "10.96.0.0/16";
/** The Service "kubernetes": the first address of the network above. */
export const API_SERVICE = "10.96.0.1";
/** Node i has 172.31.0.(10+i) and the Pods 10.244.i.0/24; collectors take underlay addresses from .200 on. */
export const MOST_NODES = 180;

/** What is wrong with the name of a cluster, or undefined. */
export function nameProblem(name: string): string | undefined {
  if (!/^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$/.test(name))
    return `"${name}" is no cluster name: 1 to 30 lower-case letters, digits and hyphens, first a letter, last no hyphen`;
  // The namespace of such a cluster's machine would have the name of another cluster's node.
  if (/-node-\d+$/.test(name)) return `"${name}" is no cluster name: it must not end like the name of a node`;
  return undefined;
}

export const nodeName = (index: number): string => `node-${index}`;
export const nodeIndex = (node: string): number => Number(node.slice("node-".length));
export const nodeAddress = (index: number): string => `172.31.0.${10 + index}`;
export const podSubnet = (index: number): string => `10.244.${index}.0/24`;
/** One of the addresses of a node's Pods, by its last byte. */
export const podAddress = (index: number, last: number): string => `10.244.${index}.${last}`;
export const podGateway = (index: number): string => podAddress(index, 1);
/** Made from the IPv4 address, as for the Pods (cni/ovs-bridge): nobody has another one's. */
export const hardwareAddress = (address: string): string =>
  ["0a", "58", ...address.split(".").map((byte) => Number(byte).toString(16).padStart(2, "0"))].join(":");
/** The veth in the machine's namespace whose other end is eth0 of the node. */
export const uplink = (index: number): string => `v${index}`;

/** Everything of one cluster that has a name outside of it. */
export class Places {
  readonly state: string;
  readonly machineNamespace: string;
  /** Relative to the root of every cgroup hierarchy. */
  readonly cgroup: string;

  constructor(readonly name: string) {
    const problem = nameProblem(name);
    if (problem) throw new Error(problem);
    this.state = path.join(clustersDirectory(), name);
    this.machineNamespace = `otc-${name}`;
    this.cgroup = `ovs-traffic-control-${name}`;
  }

  get pki(): string {
    return path.join(this.state, "pki");
  }
  get kubeconfig(): string {
    return path.join(this.pki, "admin.kubeconfig");
  }
  /** Outside the state: held while the state is made and removed. The file stays until the machine is rebooted. */
  get lock(): string {
    return `/run/lock/${this.cgroup}.lock`;
  }
  log(program: string): string {
    return path.join(this.state, "log", `${program}.log`);
  }
  nodeNamespace(node: string): string {
    return `${this.machineNamespace}-${node}`;
  }
  node(node: string): string {
    return path.join(this.state, "nodes", node);
  }
}

/** Where the state of all clusters is. Not in the cache, which is for what can be made again; not in the checkout. */
export function clustersDirectory(): string {
  const base = process.env["XDG_STATE_HOME"] ?? path.join(homedir(), ".local", "state");
  return path.join(base, "ovs-traffic-control", "clusters");
}
