/** Short names for the parts of the generated types that the rooms pass around. */
import type { NodeTrafficPlan } from "./generated/nodetrafficplan";
import type { TrafficControl } from "./generated/trafficcontrol";

export type TrafficControlSpec = TrafficControl["spec"];
export type TrafficControlStatus = NonNullable<TrafficControl["status"]>;
export type TargetPort = TrafficControlSpec["targetPort"];
export type ReturnPort = NonNullable<TrafficControlSpec["returnPort"]>;
export type LabelSelector = NonNullable<TrafficControlSpec["appliedTo"]["podSelector"]>;
export type Direction = TrafficControlSpec["direction"];
export type Action = TrafficControlSpec["action"];
export type Condition = NonNullable<TrafficControlStatus["conditions"]>[number];

export type PlanSpec = NodeTrafficPlan["spec"];
export type PlanPod = PlanSpec["pods"][number];
export type PlanRule = PlanSpec["rules"][number];
export type PlanPort = PlanRule["targetPort"];
export type PlanStatus = NonNullable<NodeTrafficPlan["status"]>;
export type PortResult = NonNullable<PlanStatus["ports"]>[number];
export type RuleResult = NonNullable<PlanStatus["rules"]>[number];
export type BridgeResult = NonNullable<PlanStatus["bridges"]>[number];

/** One of the six kinds of port. */
export type PortKind = "ovsInternal" | "device" | "geneve" | "vxlan" | "gre" | "erspan";
