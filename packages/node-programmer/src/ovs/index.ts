/** The node's Open vSwitch as values. The door of this room. */
export { COLUMNS, bridgeOf, ownerMark, viewsOf } from "./view";
export type { BridgeView, InterfaceView, OvsReplica, OvsView, PortView } from "./view";
export { isOvn, kindOfBridge, pipelineOf } from "./bridge-kind";
export type { BridgeKind } from "./bridge-kind";
