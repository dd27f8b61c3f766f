/** Ports as the programmer gets them: defaults filled in, addresses in one spelling. */
import type { PlanPort, ReturnPort, TargetPort } from "../api";
import { canonicalAddress } from "../selection";

const GENEVE_PORT = 6081;
const VXLAN_PORT = 4789;

export function planPort(port: TargetPort | ReturnPort): PlanPort {
  if (port.ovsInternal) return { ovsInternal: { name: port.ovsInternal.name } };
  if (port.device) return { device: { name: port.device.name } };
  if (port.geneve) return { geneve: udpTunnel(port.geneve, GENEVE_PORT) };
  if (port.vxlan) return { vxlan: udpTunnel(port.vxlan, VXLAN_PORT) };
  if (port.gre) return { gre: { remoteIP: address(port.gre.remoteIP), key: port.gre.key ?? 0 } };
  if ("erspan" in port && port.erspan) return { erspan: erspanSession(port.erspan) };
  return {};
}

function udpTunnel(
  tunnel: { remoteIP: string; destinationPort?: number; vni?: number },
  defaultPort: number,
): NonNullable<PlanPort["vxlan"]> {
  return {
    remoteIP: address(tunnel.remoteIP),
    destinationPort: tunnel.destinationPort ?? defaultPort,
    vni: tunnel.vni ?? 0,
  };
}

function erspanSession(session: NonNullable<TargetPort["erspan"]>): NonNullable<PlanPort["erspan"]> {
  const common = { remoteIP: address(session.remoteIP), sessionID: session.sessionID ?? 0, version: session.version };
  if (session.version === 1) return { ...common, index: session.index ?? 0 };
  return { ...common, dir: session.dir ?? 0, hardwareID: session.hardwareID ?? 0 };
}

/** What admission would not have let through stays as it is: the programmer says what is wrong with it. */
function address(text: string): string {
  return canonicalAddress(text) ?? text;
}
