/** From plan to flows in force, level-triggered. The door of this room. */
export { Bridges } from "./bridges";
export { Loop } from "./loop";
export { Reconciler } from "./reconciler";
export type { Outcome } from "./reconciler";
export type { RuleOutcome } from "./resolve";
