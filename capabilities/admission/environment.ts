/** The settings of the admission process. Read from process.env once, by pepr.ts. */

export interface AdmissionEnvironment {
  /** Where the Secret and the Service are. */
  podNamespace: string;
  /** Plain HTTP: /metrics, /healthz, /readyz. */
  metricsPort: number;
  /** HTTPS, for the API server. */
  webhookPort: number;
  /** How long requests are still answered after SIGTERM. */
  drainMilliseconds: number;
  /** Where cert-manager's certificate is mounted; undefined if the controller makes it, in a Secret. */
  certificateDirectory: string | undefined;
  /** A writable directory for the certificate files that Pepr reads. */
  temporaryDirectory: string;
}

/** Throws with every mistake at once. */
export function readAdmissionEnvironment(
  variables: Record<string, string | undefined>,
  temporaryDirectory: string,
): AdmissionEnvironment {
  const mistakes: string[] = [];
  const integer = (name: string, fallback: number, maximum: number): number => {
    const value = variables[name];
    if (value === undefined || value === "") return fallback;
    const isInRange = /^\d{1,9}$/.test(value) && Number(value) <= maximum;
    if (!isInRange) mistakes.push(`${name}="${value}" is not a number from 0 to ${maximum}`);
    return Number(value);
  };
  const certificateDirectory = variables["CERTIFICATE_DIRECTORY"] || undefined;
  if (certificateDirectory?.startsWith("/") === false)
    mistakes.push(`CERTIFICATE_DIRECTORY="${certificateDirectory}" is not an absolute path`);
  const environment = {
    podNamespace: variables["POD_NAMESPACE"] ?? "ovs-traffic-control",
    metricsPort: integer("METRICS_PORT", 8080, 65_535),
    webhookPort: integer("WEBHOOK_PORT", 3000, 65_535),
    drainMilliseconds: integer("DRAIN_SECONDS", 5, 600) * 1000,
    certificateDirectory,
    temporaryDirectory,
  };
  if (mistakes.length > 0)
    throw new Error(`The environment of the admission process is wrong: ${mistakes.join("; ")}.`);
  return environment;
}
