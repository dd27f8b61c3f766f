/** The objects that the certificates live in. Their names are those of the chart. */
import type { ObjectPath, Resource } from "../../engine";

const NAME = "ovs-traffic-control";
const SERVICE = `${NAME}-admission`;
const SECRETS: Resource = { group: "", version: "v1", plural: "secrets" };
const ADMISSION_REGISTRATION = { group: "admissionregistration.k8s.io", version: "v1" };

/** Written by the controller, read by the admission Pods. */
export function certificateSecret(namespace: string): ObjectPath {
  return { resource: SECRETS, namespace, name: `${NAME}-webhook-tls` };
}

/** The name by which the API server calls the webhook and checks its certificate. */
export function serviceName(namespace: string): string {
  return `${SERVICE}.${namespace}.svc`;
}

export const WEBHOOK_CONFIGURATIONS: readonly ObjectPath[] = [
  { resource: { ...ADMISSION_REGISTRATION, plural: "mutatingwebhookconfigurations" }, name: NAME },
  { resource: { ...ADMISSION_REGISTRATION, plural: "validatingwebhookconfigurations" }, name: NAME },
];

/** Mutating or validating, in the parts that matter. */
export interface WebhookConfiguration {
  metadata: { resourceVersion: string };
  webhooks?: { name: string; clientConfig: { caBundle?: string } }[];
}
