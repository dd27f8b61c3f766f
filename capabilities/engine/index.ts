/** What any controller needs: queue, informers, client, leader election, clock, metrics. Knows nothing of TrafficControls. */
export { backoffDelay, type BackoffOptions } from "./backoff";
export {
  JsonText,
  KubernetesClient,
  type DeleteOptions,
  type JsonPatch,
  type KubernetesApi,
  type ListPage,
  type Query,
  type WriteOptions,
} from "./client";
export { sleep, systemClock, type Clock, type Timer } from "./clock";
export { Connection } from "./connection";
export { readEnvironment, type Environment } from "./environment";
export { serveStatus, type StatusServer } from "./http";
export { Informer, type ChangeHandler, type RawObject } from "./informer";
export { LeaderElection, leaseClient } from "./leader";
export { logger, type Logger } from "./log";
export { EngineMetrics } from "./metrics";
export { pathOf, RESOURCES, type ObjectPath, type Resource } from "./resource";
export { ApiError, must, type ApiFailure, type ApiResult } from "./result";
export { runWorkers, type ReconcileResult } from "./worker";
export { TokenBucket } from "./token-bucket";
export { Turns } from "./turn";
export { WorkQueue } from "./workqueue";
