/** The API of this project as code: types generated from crds/, and names that several rooms share. */
export * from "./names";
export type { TrafficControl } from "./generated/trafficcontrol";
export type { NodeTrafficPlan } from "./generated/nodetrafficplan";
export type * from "./types";
