/** Where the operator is deployed; the names are those of the chart. Used by this room. */
import path from "node:path";

export const CHART = path.join(import.meta.dirname, "../../charts/ovs-traffic-control");
export const RELEASE = "ovs-traffic-control";
export const NAMESPACE = "ovs-traffic-control";
export const DEPLOYMENTS = ["ovs-traffic-control-admission", "ovs-traffic-control-controller"];
