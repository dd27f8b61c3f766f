/**
 * Antrea marks the Port row: antrea-type=container, pod-name, pod-namespace, container-id, ip-address, attached-mac, in newer
 * versions net-ns, and if-dev for any other interface than eth0. The Pod's UID is not written down.
 */
import type { Dialect } from "./dialect";

export const antrea: Dialect = (port) => {
  const { externalIds } = port;
  const [name, namespace] = [externalIds.get("pod-name"), externalIds.get("pod-namespace")];
  if (name === undefined || namespace === undefined || !externalIds.has("container-id")) return null;
  const mac = externalIds.get("attached-mac");
  return {
    port,
    pod: {
      namespace,
      name,
      addresses: (externalIds.get("ip-address") ?? "").split(",").filter((address) => address !== ""),
    },
    iface: externalIds.get("if-dev") ?? "eth0",
    netns: externalIds.get("net-ns") ?? null,
    macs: mac === undefined ? [] : [mac],
  };
};
