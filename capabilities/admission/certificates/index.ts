/** Certificates of the webhook: made and kept by the controller's leader or by cert-manager, served by the admission Pods. */
export type { ServingCertificate } from "./bundle";
export { followCertificate } from "./follower";
export { certificateKeeper, type CertificateKeeper, type CertificateKeeperOptions } from "./keeper";
export { serviceName } from "./objects";
export { directorySource, secretSource } from "./sources";
