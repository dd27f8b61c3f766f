/** The Pods' ports on this node. The door of this room. */
export { findPods, isVirtualMachine } from "./find";
export type { AttachedPort, FoundPod, Problem } from "./find";
export { attachmentOf, nameOf } from "./dialect";
export { PodMacs } from "./macs";
export { PodNamespaces } from "./netns";
export { homeOf, vlansOf } from "./vlans";
