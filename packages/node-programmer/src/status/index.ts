/** Results as the status of a NodeTrafficPlan. The door of this room. */
export { Counters } from "./counters";
export type { Count } from "./counters";
export { sameStatus, statusOf, unreachable } from "./status";
