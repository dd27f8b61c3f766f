/** What is in the Secret with the webhook's certificates, and whether it has to be renewed. Pure. */
import { createPrivateKey, X509Certificate } from "node:crypto";

/** The Secret as the API server sends it, in the parts that matter. */
export interface CertificateSecret {
  metadata?: { resourceVersion?: string };
  type?: string;
  data?: Record<string, string>;
}

export interface ServingCertificate {
  /** PEM. */
  certificate: string;
  key: string;
  /** The CAs that clients trust, newest first; more than one while a change is going on. */
  cas: string[];
}

/** Names in a Secret, and of the files that the kubelet makes of it. */
export const FILES = ["tls.crt", "tls.key", "ca.crt"] as const;

/** What a Secret holds; undefined if it is not a certificate with its key and at least one CA. */
export function readSecret(secret: CertificateSecret | undefined): ServingCertificate | undefined {
  const text = (name: string): string => Buffer.from(secret?.data?.[name] ?? "", "base64").toString("utf8");
  return readFiles(Object.fromEntries(FILES.map((name) => [name, text(name)])));
}

/** The same from the contents of its files, by name. */
export function readFiles(contents: Record<string, string>): ServingCertificate | undefined {
  const [certificate = "", key = "", ca = ""] = FILES.map((name) => contents[name]);
  const cas = splitPem(ca);
  try {
    if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))) return undefined;
    return cas.length === 0 ? undefined : { certificate, key, cas };
  } catch {
    return undefined;
  }
}

/** What is written into a Secret, as text. */
export function dataOf({ certificate, key, cas }: ServingCertificate): Record<string, string> {
  return { "tls.crt": certificate, "tls.key": key, "ca.crt": cas.join("") };
}

export function isSignedBy(certificate: string, ca: string): boolean {
  return new X509Certificate(certificate).verify(new X509Certificate(ca).publicKey);
}

/** Why new certificates are needed; undefined if these are good. */
export function renewalReason(
  current: ServingCertificate | undefined,
  dnsName: string,
  now: number,
): string | undefined {
  if (current === undefined) return "there is none, or it cannot be read";
  const leaf = new X509Certificate(current.certificate);
  if (leaf.checkHost(dnsName) === undefined) return `it is not for ${dnsName}`;
  if (!current.cas.some((ca) => isSignedBy(current.certificate, ca))) return "its CA is not beside it";
  const [from, to] = [Date.parse(leaf.validFrom), Date.parse(leaf.validTo)];
  if (now < from) return `it is not valid before ${leaf.validFrom}`;
  return to - now < (to - from) / 3 ? `it ends at ${leaf.validTo}` : undefined;
}

/** The CAs that are still worth trusting. */
export function validCas(cas: readonly string[], now: number): string[] {
  return cas.filter((ca) => Date.parse(new X509Certificate(ca).validTo) > now);
}

/** The CA certificates in a PEM file, one string each; what cannot be read is left out. */
export function splitPem(text: string): string[] {
  const found = text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  return found.map((certificate) => `${certificate}\n`).filter(isReadable);
}

function isReadable(certificate: string): boolean {
  try {
    return new X509Certificate(certificate).ca;
  } catch {
    return false;
  }
}
