/**
 * Where the copies of a TrafficControl can be seen on a node: which device tcpdump listens on, and with which filter. Pure.
 * For a port with a name that is its network device; a tunnel's packets are seen on whichever device they leave by.
 */
import type { PlanPort } from "@ovs-traffic-control/api";

export interface Where {
  device: string;
  /** In tcpdump's language (pcap-filter(7)); undefined: everything on the device. */
  filter?: string;
  /** tcpdump's -T: how to read UDP on a port that is not the protocol's own. */
  type?: "vxlan";
  /** VNI or key, which no filter of tcpdump can tell apart. */
  network?: number;
}

export function whereToLook({ ovsInternal, device, vxlan, geneve, gre, erspan }: PlanPort): Where {
  const named = ovsInternal ?? device;
  if (named !== undefined) return { device: named.name };
  const udp = vxlan ?? geneve;
  if (udp !== undefined) {
    const filter = `udp and dst host ${udp.remoteIP} and dst port ${udp.destinationPort}`;
    return { device: "any", filter, network: udp.vni, ...(vxlan === undefined ? {} : { type: "vxlan" }) };
  }
  const other = gre ?? erspan;
  if (other === undefined) throw new Error("The plan has a rule without a target port.");
  // "proto" without "ip" or "ip6" means either.
  return { device: "any", filter: `proto 47 and dst host ${other.remoteIP}`, network: gre?.key };
}

/** The command of the container. One line per packet as soon as it is there, no names, no promiscuous mode. */
export function tcpdump({ device, filter, type }: Where): string[] {
  return [
    ...["tcpdump", "-i", device, "-n", "-l", "-p", "-Z", "root", "--immediate-mode"],
    ...(type === undefined ? [] : ["-T", type]),
    ...(filter === undefined ? [] : [filter]),
  ];
}
