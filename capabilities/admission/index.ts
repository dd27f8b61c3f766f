/** Admission: what may be stored as a TrafficControl, who signs it, and the certificates that the API server trusts. */
export { admissionCallbacks, type AdmissionCallbacks } from "./callbacks";
export { certificateKeeper, type CertificateKeeper, type CertificateKeeperOptions } from "./certificates";
export { readAdmissionEnvironment, type AdmissionEnvironment } from "./environment";
export { AdmissionMetrics } from "./metrics";
export {
  format,
  mistakes,
  Surroundings,
  warnings,
  type Mistake,
  type MistakeKind,
  type Warning,
  type WarningCode,
} from "./rules";
export { startAdmission, type Admission } from "./start";
export { watchSurroundings, type WatchedSurroundings } from "./surroundings";
