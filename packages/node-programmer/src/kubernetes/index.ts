/** The programmer's plan in the Kubernetes API. The door of this room. */
export { inCluster } from "./api-server";
export { KubernetesPlan } from "./plan";
