/** ovs-cni marks the Port row: contPodUid, contNetns, contIface. It writes down no MAC address. */
import type { Dialect } from "./dialect";

export const ovsCni: Dialect = (port) => {
  const podUid = port.externalIds.get("contPodUid");
  if (podUid === undefined || podUid === "" || port.ours) return null;
  return {
    port,
    podUid,
    iface: port.externalIds.get("contIface") ?? "",
    netns: port.externalIds.get("contNetns") ?? null,
    macs: [],
  };
};
