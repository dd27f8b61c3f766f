/**
 * Where an admission Pod finds its certificate: in the Secret that the controller writes, or in a directory into which the
 * kubelet puts the one that cert-manager writes. Used by the follower.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { TRAFFIC_CONTROL } from "@ovs-traffic-control/api";
import type { ApiResult, KubernetesApi } from "../../engine";
import { FILES, readFiles, readSecret, type CertificateSecret, type ServingCertificate } from "./bundle";
import { certificateSecret } from "./objects";

/** What is there at the moment. */
export interface Sight {
  certificate?: ServingCertificate;
  /** Why there is none. */
  why: string;
  /** Whether the API server has answered anything. */
  reached: boolean;
}

export type CertificateSource = () => Promise<Sight>;

/** Read by its name, so that the right to read this one Secret is enough. */
export function secretSource(api: KubernetesApi, namespace: string): CertificateSource {
  return async () => {
    const answer = await api.get<CertificateSecret>(certificateSecret(namespace));
    if (!answer.ok) return { reached: wasReached(answer), why: `${answer.code} ${answer.message}` };
    return { reached: true, certificate: readSecret(answer.value), why: "the Secret holds no usable certificate" };
  };
}

/**
 * @param directory with tls.crt, tls.key and ca.crt. While the kubelet exchanges them they may not belong together: then there is
 * none, and the next look finds them.
 */
export function directorySource(api: KubernetesApi, directory: string): CertificateSource {
  let reached = false;
  return async () => {
    // Any answer is one, also that there is no TrafficControl of this name.
    const anyone = { resource: TRAFFIC_CONTROL, name: "ovs-traffic-control" };
    reached ||= wasReached(await api.get(anyone));
    const contents = await Promise.all(
      FILES.map((name) => readFile(path.join(directory, name), "utf8").catch(() => "")),
    );
    const certificate = readFiles(Object.fromEntries(FILES.map((name, index) => [name, contents[index]!])));
    return { reached, certificate, why: `${directory} holds no usable certificate with its CA` };
  };
}

function wasReached(answer: ApiResult<unknown>): boolean {
  return answer.ok || answer.code !== 0;
}
