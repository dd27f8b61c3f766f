/** Admission: what may be stored as a TrafficControl, who signs it, and the certificates that the API server trusts. */
export { admissionCallbacks, type AdmissionCallbacks } from "./callbacks";
export { certificateKeeper, serviceName, type CertificateKeeper, type CertificateKeeperOptions } from "./certificates";
export { AdmissionMetrics } from "./metrics";
export { mistakes, warnings, format, formatWarning, type Mistake, type Warning } from "./rules";
export { startAdmission, type Admission, type AdmissionEnvironment } from "./start";
