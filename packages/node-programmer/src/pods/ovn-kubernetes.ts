/**
 * OVN-Kubernetes marks the Interface row: iface-id is NAMESPACE_POD (with the network's name before it on other networks than
 * the default one), iface-id-ver the Pod's UID, attached_mac its MAC address, k8s.ovn.org/nad the network's definition; newer versions say the
 * interface's name, too (pod-if-name).
 * A second sandbox takes the iface-id away from the first, so a row without one is a former sandbox's.
 */
import type { Dialect } from "./dialect";

export const ovnKubernetes: Dialect = (port) => {
  for (const { externalIds } of port.interfaces) {
    const uid = externalIds.get("iface-id-ver");
    if (uid === undefined || uid === "" || !externalIds.has("iface-id") || !externalIds.has("sandbox")) continue;
    const mac = externalIds.get("attached_mac");
    return {
      port,
      pod: { uid },
      iface: externalIds.get("pod-if-name") ?? externalIds.get("k8s.ovn.org/nad") ?? "eth0",
      netns: null,
      macs: mac === undefined ? [] : [mac],
    };
  }
  return null;
};
