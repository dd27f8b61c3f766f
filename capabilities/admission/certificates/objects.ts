/** The objects that the certificates live in. Their names are those of the chart. */
import type { ObjectPath, Resource } from "../../engine";

const NAME = "ovs-traffic-control";
const SERVICE = `${NAME}-admission`;
const SECRETS: Resource = { group: "", version: "v1", plural: "secrets" };
const PODS: Resource = { group: "", version: "v1", plural: "pods" };
const ADMISSION_REGISTRATION = { group: "admissionregistration.k8s.io", version: "v1" };

/** Written by the controller, read by the admission Pods. */
export function certificateSecret(namespace: string): ObjectPath {
  return { resource: SECRETS, namespace, name: `${NAME}-webhook-tls` };
}

/** Label selector of the admission Pods, and the name of the port of theirs that the Service leads to. */
export const ADMISSION_PODS = `app.kubernetes.io/name=${NAME},app.kubernetes.io/component=admission`;
export const POD_PORT_NAME = "webhook";

export function podsOf(namespace: string): ObjectPath {
  return { resource: PODS, namespace };
}

/** In the parts that matter. */
export interface AdmissionPod {
  spec: { nodeName?: string; containers: { ports?: { name?: string; containerPort: number }[] }[] };
  status?: { phase?: string; podIP?: string };
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
