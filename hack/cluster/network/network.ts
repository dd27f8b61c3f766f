/** How a cluster's Pods hang together. One small module per network beside this file; index.ts has them all. */
import type { Purpose } from "../../toolchain";
import type { Places } from "../places";

export interface PodNetwork {
  /** Packages that it needs beside those of every cluster. */
  purposes: Purpose[];
  /** Programs of its own, for `status`. */
  machinePrograms: string[];
  nodePrograms: (node: string) => string[];
  /** On the machine, before there are nodes. */
  startCentral: (places: Places) => Promise<void>;
  /** In a node whose Open vSwitch runs: the Pods' bridge br-int, and the node's own way to all Pods. */
  connectNode: (places: Places, node: string, nodes: string[]) => Promise<void>;
  /** What the CNI plugin (cni/ovs-bridge) has to know about the node: which ports to make, and which addresses are free. */
  plugin: (index: number) => { ports: string; firstAddress: string; [more: string]: string };
  /** For commands on the machine and in the nodes. */
  environment: Record<string, string>;
}
