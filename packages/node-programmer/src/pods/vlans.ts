/** In which VLANs a frame with the Pod's MAC address is "addressed to the Pod". Pure. */
import type { PortView } from "../ovs";
import type { Home } from "../pipeline";

/** Beyond that many VLANs on a trunk the Pod is recognised by its MAC address in any VLAN. */
const MOST_VLANS = 16;

/**
 * The VLANs of a Pod's port (ovs-vswitchd.conf.db(5), "VLAN Configuration"): an access port lives in its tag; a trunk in
 * its native VLAN (0 without one) and in those it names. A trunk that names none would carry all of them, but the Pod
 * itself speaks untagged: VLAN 0, else frames to the same MAC in another tenant's VLAN would be copied too.
 */
export function vlansOf(port: PortView): readonly number[] | "any" {
  const access =
    port.vlanMode === "access" ||
    port.vlanMode === "dot1q-tunnel" ||
    (port.vlanMode === undefined && port.tag !== undefined);
  const trunks = access ? [] : port.trunks;
  if (trunks.length > MOST_VLANS) return "any";
  const own = port.vlanMode === "trunk" ? 0 : (port.tag ?? 0);
  return [...new Set([own, ...trunks])].sort((a, b) => a - b);
}

/** The Pod's port as a place that packets come back to. */
export function homeOf(
  port: PortView,
  ofport: number,
  macs: readonly string[],
  inspected: Pick<Home, "sends" | "receives">,
): Home {
  const native = port.vlanMode === "trunk" ? 0 : (port.tag ?? 0);
  const vlans = vlansOf(port);
  if (vlans === "any" || port.vlanMode === "dot1q-tunnel") return { ofport, macs, frames: "any", native, ...inspected };
  return { ofport, macs, frames: vlans.map((vlan) => (vlan === native ? 0 : vlan)), native, ...inspected };
}
