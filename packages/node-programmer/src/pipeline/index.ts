/** Plan → flows, pure. The door of this room. */
export { compile } from "./compile";
export { KIND, OWN_COOKIE, OWN_COOKIE_MASK, cookie, isOurs, kindOf, shortHash, valueOf } from "./cookies";
export { marksThePlan } from "./flows";
export { assignSlots, engagedRedirects, slotsInForce } from "./slots";
export type { Slots } from "./slots";
export { PRIVATE_TABLES, RULE_BITS } from "./tables";
export type { BridgeInput, CarriedTunnel, Home, PodPort, Redirect, Redirection, Relay, TaggedPort, Tap } from "./input";
