/** The node's Open vSwitch as values. The door of this room. */
export { COLUMNS, bridgeOf, ownerMark, viewsOf } from "./view";
export type { BridgeView, InterfaceView, MirrorView, OvsReplica, OvsView, PortView } from "./view";
export { isAntrea, isOvn, kindOfBridge, pipelineOf } from "./bridge-kind";
export type { BridgeKind } from "./bridge-kind";
