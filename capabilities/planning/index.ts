/** From TrafficControls and Pods to one plan per node. Pure and deterministic. */
export { canonicalJson, hashOf } from "./canonical";
export { ConflictIndex, conflictsAmong, type Conflict } from "./conflicts";
export {
  answerOf,
  isConfirmed,
  isSamePlan,
  newsOf,
  planFacts,
  retiringAfter,
  uidsInForce,
  type News,
  type PlanFacts,
  type PlanFactsStatus,
} from "./facts";
export { boundTo, isEmpty, MAXIMUM_ITEMS, planNode, specText, type Plan, type PlannedPod } from "./plan";
export { planPort } from "./ports";
export { precedence } from "./precedence";
export { TunnelIndex, tunnelsOf, type Collector, type Tunnels } from "./collectors";
export { overruled, type Overruled, type Rivals } from "./redirects";
