/** What users see: status, Events and metrics of TrafficControls. */
export { EventRecorder, type EventDetails } from "./events";
export { ReportingMetrics } from "./metrics";
export { type NodeView } from "./node-state";
export { Reporter, type Situation } from "./reporter";
export { statusOf, type Refusal, type StatusInput, type StatusOutput } from "./status";
export { targetText } from "./target";
export { list } from "./words";
