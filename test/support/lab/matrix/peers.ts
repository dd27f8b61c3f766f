/** With whom the selected Pod talks in a matrix, on which network. Used by mirror.ts and redirect.ts. */
import type { Lab, LabPod } from "../../lab";

export interface Network {
  /** Names of nodes → names of their Pods. The selected Pod is `a`, on node `n1`. */
  nodes: Readonly<Record<string, readonly string[]>>;
  /** On real OVN: names of its Pods → their logical switch. */
  ovn?: Readonly<Record<string, number>>;
  /** Name of a Pod → where it is, in the names of the tests. */
  peers: Readonly<Record<string, string>>;
}

export const SWITCHED: Network = {
  nodes: { n1: ["a", "b"], n2: ["c"] },
  peers: { b: "the same node", c: "another node" },
};

export const ON_OVN: Network = {
  nodes: { n1: ["a", "b", "c"], n2: ["d", "e"] },
  ovn: { a: 9, b: 9, c: 8, d: 9, e: 8 },
  peers: {
    b: "the same node and logical switch",
    c: "the same node, another logical switch",
    d: "another node, the same logical switch",
    e: "another node and logical switch",
  },
};

/** Both addresses of all peers, one ping each at once. */
export async function pingAll(lab: Lab, { peers }: Network, from: LabPod, count: number): Promise<void> {
  await Promise.all(
    Object.keys(peers).flatMap((peer) => [false, true].map((v6) => from.ping(lab.pod(peer), { v6, count }))),
  );
}

/** Until the tunnels between OVN's nodes know their neighbours, they lose packets. */
export async function warm(lab: Lab, network: Network, from: LabPod): Promise<void> {
  if (network.ovn) await pingAll(lab, network, from, 10);
}

export function addressOf(pod: LabPod, v6: boolean): string {
  return v6 ? pod.address6 : pod.address;
}
