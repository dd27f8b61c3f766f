/** Makes the webhook's certificates: a CA for this one leaf, whose key is forgotten, and the leaf. Called by the keeper. */
import "reflect-metadata"; // @peculiar/x509 does not load without it, and it must come first
import * as x509 from "@peculiar/x509";

const KEYS = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGNATURE = { name: "ECDSA", hash: "SHA-256" } as const;
/** Clocks of the machines may differ by this much. */
const CLOCK_SKEW_MS = 5 * 60_000;

export interface Issued {
  /** PEM. */
  ca: string;
  certificate: string;
  key: string;
}

/**
 * A CA of its own for each leaf: then nobody has to keep a CA key, and the leaf changes by overlapping CAs in caBundle.
 * @param dnsName what the API server asks for: `<service>.<namespace>.svc`
 */
export async function issue(dnsName: string, now: number, lifeMilliseconds: number): Promise<Issued> {
  const algorithm = { signingAlgorithm: SIGNATURE };
  const validity = { notBefore: new Date(now - CLOCK_SKEW_MS), notAfter: new Date(now + lifeMilliseconds) };
  const caKeys = await crypto.subtle.generateKey(KEYS, false, ["sign", "verify"]);
  const leafKeys = await crypto.subtle.generateKey(KEYS, true, ["sign", "verify"]);
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    ...algorithm,
    ...validity,
    name: `CN=ovs-traffic-control CA ${new Date(now).toISOString()}`,
    keys: caKeys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(caKeys.publicKey),
    ],
  });
  const leaf = await x509.X509CertificateGenerator.create({
    ...algorithm,
    ...validity,
    subject: "CN=ovs-traffic-control admission",
    issuer: ca.subject,
    publicKey: leafKeys.publicKey,
    signingKey: caKeys.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth], false),
      new x509.SubjectAlternativeNameExtension([{ type: "dns", value: dnsName }], false),
      await x509.AuthorityKeyIdentifierExtension.create(ca.publicKey),
    ],
  });
  const key = await crypto.subtle.exportKey("pkcs8", leafKeys.privateKey);
  return { ca: pem(ca), certificate: pem(leaf), key: `${x509.PemConverter.encode(key, "PRIVATE KEY")}\n` };
}

function pem(certificate: x509.X509Certificate): string {
  return `${certificate.toString("pem")}\n`;
}
