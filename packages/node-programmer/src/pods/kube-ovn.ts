/**
 * Kube-OVN marks the Interface row: pod_name, pod_namespace, pod_netns, ip, and iface-id, which is POD.NAMESPACE, for other
 * networks than the default one with .PROVIDER behind it. It writes down neither the Pod's UID nor a MAC address. A second
 * sandbox takes the iface-id away from the first, so a row without one is a former sandbox's.
 */
import type { Dialect } from "./dialect";

/** The host's end is called CONTAINER_h for eth0, else CONTAINER_INTERFACE_h; _c for an internal port. */
const HOST_END = /^[0-9a-f]+_(?:(.+)_)?[hc]$/;

export const kubeOvn: Dialect = (port) => {
  for (const { externalIds, name: device } of port.interfaces) {
    const [name, namespace] = [externalIds.get("pod_name"), externalIds.get("pod_namespace")];
    const id = externalIds.get("iface-id");
    if (name === undefined || namespace === undefined || id === undefined) continue;
    const network = id.startsWith(`${name}.${namespace}.`) ? id.slice(name.length + namespace.length + 2) : "";
    const end = HOST_END.exec(device);
    return {
      port,
      pod: { namespace, name, addresses: (externalIds.get("ip") ?? "").split(",").filter((address) => address !== "") },
      iface: end ? (end[1] ?? "eth0") : network === "" ? "eth0" : network,
      netns: externalIds.get("pod_netns") ?? null,
      macs: [],
    };
  }
  return null;
};
