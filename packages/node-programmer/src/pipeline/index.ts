/** Plan → flows, pure. The door of this room. */
export { compile } from "./compile";
export { KIND, OWN_COOKIE, OWN_COOKIE_MASK, cookie, isOurs, kindOf, shortHash, valueOf } from "./cookies";
export { marksThePlan } from "./flows";
export { assignSlots, engagedRedirects, slotsInForce } from "./slots";
export type { Slots } from "./slots";
export { HAND_BACK as MARKER_TABLE, LEARNED, PRIVATE_TABLES, RETURN, RULE_BITS } from "./tables";
export { portKeys } from "./ovn/keys";
export type { PortKeys } from "./ovn/keys";
export { LOGICAL_TO_PHYSICAL, OVN_RULE_BITS } from "./ovn/tables";
export type {
  BridgeInput,
  CarriedTunnel,
  Home,
  PodPort,
  Pipeline,
  Redirect,
  Redirection,
  Relay,
  TaggedPort,
  Tap,
  Visitor,
} from "./input";
