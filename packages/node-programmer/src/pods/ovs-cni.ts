/** ovs-cni marks the Port row: contPodUid, contNetns, contIface. It writes down no MAC address. */
import type { Dialect } from "./dialect";

export const ovsCni: Dialect = (port) => {
  const uid = port.externalIds.get("contPodUid");
  if (uid === undefined || uid === "") return null;
  return {
    port,
    pod: { uid },
    iface: port.externalIds.get("contIface") ?? "",
    netns: port.externalIds.get("contNetns") ?? null,
    macs: [],
  };
};
