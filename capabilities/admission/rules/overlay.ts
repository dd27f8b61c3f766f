/**
 * A tunnel on the UDP port of the cluster's own overlay network takes its packets and cuts nodes off (reference of Open
 * vSwitch: two tunnels that differ in their key only). What the Nodes say about overlay and addresses, in an index, and
 * what follows for a spec. The programmer sees more than this: it makes no such port.
 */
import { canonicalAddress } from "./address";
import { tunnels } from "./claim";
import type { Mistake } from "./mistake";
import { warning, type Warning } from "./warning";

/** A Node in the parts that matter. */
export interface NodeFacts {
  /** In any spelling. */
  addresses: string[];
  /** Of its annotations those names that are in OVERLAY_ANNOTATIONS, with their values. */
  annotations: Record<string, string>;
}

interface OverlayNetwork {
  name: string;
  annotation: string;
  /** Undefined: any. */
  value?: string;
  udpPort: number;
}

/** Networks that leave a sign of their own on each Node; with the UDP port that each uses unless it is told another. */
const NETWORKS: readonly OverlayNetwork[] = [
  { name: "flannel", annotation: "flannel.alpha.coreos.com/backend-type", value: "vxlan", udpPort: 8472 },
  { name: "Calico", annotation: "projectcalico.org/IPv4VXLANTunnelAddr", udpPort: 4789 },
  { name: "OVN-Kubernetes", annotation: "k8s.ovn.org/node-chassis-id", udpPort: 6081 },
  { name: "Kube-OVN", annotation: "ovn.kubernetes.io/chassis", udpPort: 6081 },
];
export const OVERLAY_ANNOTATIONS: readonly string[] = NETWORKS.map(({ annotation }) => annotation);

/** UDP ports that overlay networks use, for a cluster whose network leaves no sign. */
const USUAL_PORTS: readonly number[] = [4789, 6081, 8472];

export class Overlay {
  /** Names of Nodes by their addresses. */
  private readonly byAddress = new Map<string, string>();
  private readonly nodes = new Map<string, { addresses: string[]; networks: OverlayNetwork[] }>();
  /** How many Nodes show each network. */
  private readonly counts = new Map<OverlayNetwork, number>();

  put(name: string, { addresses, annotations }: NodeFacts): void {
    this.remove(name);
    const canonical = addresses.map((address) => canonicalAddress(address)).filter((found) => found !== undefined);
    const networks = NETWORKS.filter(({ annotation, value }) => {
      const found = annotations[annotation];
      return found !== undefined && (value === undefined || found === value);
    });
    this.nodes.set(name, { addresses: canonical, networks });
    for (const address of canonical) this.byAddress.set(address, name);
    for (const network of networks) this.counts.set(network, (this.counts.get(network) ?? 0) + 1);
  }

  remove(name: string): void {
    const node = this.nodes.get(name);
    this.nodes.delete(name);
    for (const address of node?.addresses ?? [])
      if (this.byAddress.get(address) === name) this.byAddress.delete(address);
    for (const network of node?.networks ?? []) {
      const count = (this.counts.get(network) ?? 0) - 1;
      if (count > 0) this.counts.set(network, count);
      else this.counts.delete(network);
    }
  }

  /** Tunnels to a node on the port of the overlay between the nodes. */
  conflicts(spec: unknown): Mistake[] {
    return tunnels(spec).flatMap(({ path, udpPort, remote }): Mistake[] => {
      const [network, node] = [this.networkOn(udpPort), this.byAddress.get(remote)];
      if (network === undefined || node === undefined) return [];
      const message = `UDP port ${udpPort} is that of ${network.name}, the cluster's own network, and ${remote} is the address of node ${node}: the tunnel would take the packets of that network`;
      return [{ path, kind: "Forbidden", message, hint: "choose another destinationPort, also at the far end" }];
    });
  }

  /** Tunnels of which only the node knows whether they do harm. */
  doubts(spec: unknown): Warning[] {
    return tunnels(spec).flatMap(({ path, kind, udpPort, remote }): Warning[] => {
      const [network, node] = [this.networkOn(udpPort), this.byAddress.get(remote)];
      const why =
        network !== undefined
          ? kind === "vxlan" &&
            `is that of ${network.name}, the cluster's own network: where Open vSwitch runs in userspace, the tunnel takes the packets of that network`
          : node !== undefined &&
            USUAL_PORTS.includes(udpPort) &&
            `is one that cluster networks use, and ${remote} is the address of node ${node}: if this cluster's network does, the tunnel takes its packets`;
      return why === false ? [] : [warning("OverlayPort", path, `${udpPort} ${why}; choose another destinationPort`)];
    });
  }

  private networkOn(udpPort: number): OverlayNetwork | undefined {
    return [...this.counts.keys()].find((network) => network.udpPort === udpPort);
  }
}
