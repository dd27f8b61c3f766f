/** The door of the embedded cluster: a real Kubernetes with Open vSwitch on this machine, in network namespaces. */
export { Cluster, type RunOptions, type RunResult } from "./cluster";
export { down } from "./down";
export { ociArchive, TEST_IMAGE } from "./images";
export { type NetworkName } from "./network";
export { DEFAULT_NAME } from "./places";
export { tar } from "./tar";
export { up, type UpOptions } from "./up";
