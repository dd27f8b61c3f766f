/** The door of the deployment: the operator, from this checkout, into the embedded cluster. Used by demo, e2e and benchmarks. */
export { deploy, type DeployOptions, type Deployment } from "./deploy";
export { undeploy } from "./undeploy";
