/**
 * Is there room for a tunnel's headers on the way to its far end? A packet that is too long there is lost without a trace:
 * no counter of the port, no error in the database. Pure; asked by Ports.
 */
import { isIPv6 } from "node:net";
import type { PortSpec } from "./spec";

/** The device through which the node reaches an address, and the longest IP packet that it takes. */
export interface PathMtu {
  device: string;
  mtu: number;
}

/** Bytes of the Ethernet header that travels inside. */
const ETHERNET = 14;
const UDP = 8;
/** RFC 7348 and RFC 8926 (without options). */
const VXLAN_OR_GENEVE = 8;
/** RFC 2890: the header, and the key if there is one. */
const GRE = 4;
const GRE_KEY = 4;
/** GRE with a sequence number, and the ERSPAN header of type II or III (draft-foschiano-erspan). */
const ERSPAN = { "1": 8 + 8, "2": 8 + 12 } as const;

/** Bytes that the tunnel adds to an IP packet of a Pod. */
export function headersOf({ kind, options, tunnel }: PortSpec): number {
  const ip = tunnel && isIPv6(tunnel.remoteIP) ? 40 : 20;
  if (kind === "erspan") return ip + ERSPAN[options["erspan_ver"] === "2" ? "2" : "1"] + ETHERNET;
  if (kind === "gre") return ip + GRE + (options["key"] === undefined ? 0 : GRE_KEY) + ETHERNET;
  return ip + UDP + VXLAN_OR_GENEVE + ETHERNET;
}

/** What to know if packets of `podMtu` bytes do not fit; undefined if they do. */
export function tooLong(spec: PortSpec, podMtu: number, path: PathMtu): string | undefined {
  const room = path.mtu - headersOf(spec);
  if (podMtu <= room) return undefined;
  return (
    `Packets of Pods longer than ${room} bytes are lost on the way to ${spec.tunnel?.remoteIP ?? ""}: ` +
    `${path.device} takes ${path.mtu} bytes, the tunnel's headers are ${headersOf(spec)}, and the Pods' MTU is ${podMtu}. ` +
    `Raise the MTU of ${path.device}, or lower that of the Pods to ${room}.`
  );
}
