/** From TrafficControls and Pods to one plan per node. Pure and deterministic. */
export { canonicalJson, hashOf } from "./canonical";
export { conflictsAmong, type Conflict } from "./conflicts";
export {
  isConfirmed,
  isSameAnswer,
  planFacts,
  retiringAfter,
  significantPlanFacts,
  uidsInForce,
  type PlanFacts,
  type PlanFactsStatus,
} from "./facts";
export { excess, isEmpty, planNode, type PlannedPod } from "./plan";
export { planPort } from "./ports";
export { precedence } from "./precedence";
export { collectorsOf, type Collector } from "./collectors";
export { overruled, type Overruled } from "./redirects";
