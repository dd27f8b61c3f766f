/** The node's Open vSwitch as values. The door of this room. */
export { COLUMNS, bridgeOf, ownerMark, viewsOf } from "./view";
export type { BridgeView, InterfaceView, OvsReplica, OvsView, PortView } from "./view";
export { kindOfBridge } from "./bridge-kind";
export type { BridgeKind } from "./bridge-kind";
