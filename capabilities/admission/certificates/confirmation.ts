/**
 * Whether every admission Pod has changed over to a certificate: each is asked by TLS for the one that it serves. Called by
 * the keeper before it drops the CA of the certificate before.
 */
import { X509Certificate } from "node:crypto";
import tls from "node:tls";
import type { KubernetesApi } from "../../engine";
import type { ServingCertificate } from "./bundle";
import { ADMISSION_PODS, POD_PORT_NAME, podsOf, serviceName, type AdmissionPod } from "./objects";

const ANSWER_WITHIN_MS = 2_000;

/**
 * False while one of them serves another certificate or does not answer; then it is asked again later. A Pod that is on no
 * node yet, or has ended, serves nothing, and reads the Secret as it is by then before it does.
 */
export async function everyReplicaServes(
  api: KubernetesApi,
  namespace: string,
  { certificate }: ServingCertificate,
): Promise<boolean> {
  const pods = await api.list<AdmissionPod>(podsOf(namespace), { labelSelector: ADMISSION_PODS });
  if (!pods.ok) return false;
  const wanted = new X509Certificate(certificate).fingerprint256;
  const answers = await Promise.all(
    pods.value.items.filter(mayServe).map((pod) => servedBy(pod, serviceName(namespace))),
  );
  return answers.every((served) => served === wanted);
}

function mayServe({ spec, status }: AdmissionPod): boolean {
  return spec.nodeName !== undefined && status?.phase !== "Succeeded" && status?.phase !== "Failed";
}

/** Fingerprint of the certificate that a Pod serves; undefined if there is no answer. */
function servedBy({ spec, status }: AdmissionPod, servername: string): Promise<string | undefined> {
  const ports = spec.containers.flatMap(({ ports = [] }) => ports);
  const port = ports.find(({ name }) => name === POD_PORT_NAME)?.containerPort;
  const host = status?.podIP ?? "";
  if (host === "" || port === undefined) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    // Nothing is sent or believed: its fingerprint is compared with that of the certificate that we have made.
    const socket = tls.connect({ host, port, servername, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerX509Certificate()?.fingerprint256);
      socket.destroy();
    });
    socket.setTimeout(ANSWER_WITHIN_MS, () => socket.destroy());
    socket.once("error", () => undefined).once("close", () => resolve(undefined));
  });
}
