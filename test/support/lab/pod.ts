/**
 * A Pod of the lab: a network namespace behind a port of br-int that carries ovs-cni's external_ids, or, on OVN,
 * OVN-Kubernetes'. Made by Lab.
 */
import { attempt, run, within } from "./command";
import type { Output } from "./command";
import type { LabNode } from "./node";
import { ping } from "./ping";
import type { PingOptions, PingResult } from "./ping";

export class LabPod {
  readonly uid: string;
  readonly mac: string;
  readonly address: string;
  readonly address6: string;
  /** Its default route on OVN. */
  readonly gateway: string;
  readonly gateway6: string;
  /** Its logical port on OVN. */
  readonly logicalPort: string;
  /** Name of its port on br-int, the host's end of its veth pair. */
  readonly port: string;

  constructor(
    readonly name: string,
    readonly node: LabNode,
    /** Its network namespace, below /run/netns. */
    readonly namespace: string,
    index: number,
    /** The network, or, on OVN, the logical switch, in its addresses: 10.NETWORK.0.0/24 and fd0NETWORK::/64. */
    network = 9,
  ) {
    const hex = index.toString(16).padStart(2, "0");
    this.uid = `00000000-0000-4000-8000-0000000000${hex}`;
    this.mac = `0a:00:00:00:00:${hex}`;
    this.address = `10.${network}.0.${index}`;
    this.address6 = `fd0${network}::${index.toString(16)}`;
    this.gateway = `10.${network}.0.1`;
    this.gateway6 = `fd0${network}::1`;
    this.logicalPort = `lab_${name}`;
    this.port = `h-${name}`;
  }

  /** Pings another Pod (over IPv4 or IPv6) or an address. */
  ping(to: LabPod | string, options: PingOptions & { v6?: boolean } = {}): Promise<PingResult> {
    const address = typeof to === "string" ? to : options.v6 ? to.address6 : to.address;
    return ping(this.namespace, address, options);
  }

  exec(command: string, ...args: string[]): Promise<string> {
    return run("ip", within(this.namespace, command, args));
  }

  attempt(command: string, ...args: string[]): Promise<Output> {
    return attempt("ip", within(this.namespace, command, args));
  }

  /** The words of ovs-vsctl that attach it as ovs-cni does. */
  attach(): string[] {
    return [
      ...["add-port", "br-int", this.port, "--", "set", "port", this.port],
      `external_ids:contPodUid=${this.uid}`,
      `external_ids:contNetns=/run/netns/${this.namespace}`,
      "external_ids:contIface=eth0",
      "external_ids:owner=ovs-cni.network.kubevirt.io",
    ];
  }

  /** The words of ovs-vsctl that attach it as OVN-Kubernetes does. `sandbox`: which of the Pod's, should there be several. */
  attachToOvn(port = this.port, sandbox = "1"): string[] {
    return [
      ...["add-port", "br-int", port, "--", "set", "interface", port],
      `external_ids:iface-id=${this.logicalPort}`,
      `external_ids:iface-id-ver=${this.uid}`,
      `external_ids:attached_mac="${this.mac}"`,
      `external_ids:sandbox=${sandbox}`,
    ];
  }
}
