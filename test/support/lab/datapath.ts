/**
 * Which datapath the lab's bridges have: LAB_DATAPATH, userspace if unset. The kernel's needs a kernel with Open vSwitch,
 * which the gate's kernel suite brings along. Used by the lab, and by tests that the difference concerns.
 */
const wanted = process.env["LAB_DATAPATH"] ?? "netdev";
if (wanted !== "netdev" && wanted !== "system")
  throw new Error(`LAB_DATAPATH is "${wanted}": it is netdev (userspace) or system (the kernel's).`);

/** Bridge.datapath_type of every bridge. */
export const DATAPATH = wanted;
export const IN_KERNEL = DATAPATH === "system";
