/** A Pod of the lab: a network namespace behind a port of br-int that carries ovs-cni's external_ids. Made by Lab. */
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
  /** Name of its port on br-int, the host's end of its veth pair. */
  readonly port: string;

  constructor(
    readonly name: string,
    readonly node: LabNode,
    /** Its network namespace, below /run/netns. */
    readonly namespace: string,
    index: number,
  ) {
    const hex = index.toString(16).padStart(2, "0");
    this.uid = `00000000-0000-4000-8000-0000000000${hex}`;
    this.mac = `0a:00:00:00:00:${hex}`;
    this.address = `10.9.0.${index}`;
    this.address6 = `fd09::${index.toString(16)}`;
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
}
