/**
 * The cluster's certificate authority, certificates and kubeconfigs. One openssl process each, all at once. They live as
 * long as the cluster's state and are good for ten years.
 */
import { execa } from "execa";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { API_SERVICE, MACHINE_ADDRESS, nodeAddress, nodeIndex, type Places } from "./places";

interface Identity {
  name: string;
  /** In openssl's notation. */
  subject: string;
  alternativeNames?: string;
  /** Where the API server is for this one; without it no kubeconfig is written. */
  server?: string;
}

const serviceNames = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"].map((name) => `DNS:${name}`);

const CONTROL_PLANE: Identity[] = [
  {
    name: "apiserver",
    subject: "/CN=kube-apiserver",
    alternativeNames: [...serviceNames, `IP:${API_SERVICE}`, "IP:127.0.0.1", `IP:${MACHINE_ADDRESS}`].join(","),
  },
  { name: "kubelet-client", subject: "/O=system:masters/CN=apiserver-kubelet-client" },
  { name: "admin", subject: "/O=system:masters/CN=admin", server: "127.0.0.1" },
  { name: "controller-manager", subject: "/CN=system:kube-controller-manager", server: "127.0.0.1" },
  { name: "scheduler", subject: "/CN=system:kube-scheduler", server: "127.0.0.1" },
  { name: "proxy", subject: "/CN=system:kube-proxy", server: MACHINE_ADDRESS },
];

const nodeIdentity = (node: string): Identity => ({
  name: node,
  subject: `/O=system:nodes/CN=system:node:${node}`,
  alternativeNames: `DNS:${node},IP:${nodeAddress(nodeIndex(node))}`,
  server: MACHINE_ADDRESS,
});

const keyOptions = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650"];

/** Makes what is not there yet. */
export async function makeCertificates({ pki }: Places, nodes: string[]): Promise<void> {
  await mkdir(pki, { recursive: true, mode: 0o700 });
  await Promise.all([authority(pki), serviceAccountKey(pki)]);
  const identities = [...CONTROL_PLANE, ...nodes.map(nodeIdentity)];
  await Promise.all(identities.map((identity) => issue(pki, identity)));
}

async function authority(pki: string): Promise<void> {
  await make(pki, "ca.crt", (file) => [
    ["req", "-x509", ...keyOptions, "-subj", "/CN=kubernetes", "-keyout", path.join(pki, "ca.key"), "-out", file],
  ]);
}

/** Signs the tokens of ServiceAccounts. */
async function serviceAccountKey(pki: string): Promise<void> {
  const key = path.join(pki, "sa.key");
  await make(pki, "sa.pub", (file) => [
    ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key],
    ["ec", "-in", key, "-pubout", "-out", file],
  ]);
}

async function issue(pki: string, { name, subject, alternativeNames, server }: Identity): Promise<void> {
  const authority = ["-CA", path.join(pki, "ca.crt"), "-CAkey", path.join(pki, "ca.key")];
  const extensions = [
    `subjectAltName=${alternativeNames ?? `DNS:${name}`}`,
    "extendedKeyUsage=serverAuth,clientAuth",
    "basicConstraints=critical,CA:FALSE",
  ].flatMap((extension) => ["-addext", extension]);
  const key = path.join(pki, `${name}.key`);
  await make(pki, `${name}.crt`, (file) => [
    ["req", "-x509", ...authority, ...keyOptions, "-subj", subject, ...extensions, "-keyout", key, "-out", file],
  ]);
  if (server === undefined) return;
  const file = path.join(pki, `${name}.kubeconfig`);
  if (!existsSync(file)) await writeFile(file, await kubeconfig(pki, name, server), { mode: 0o600 });
}

/** Runs openssl commands of which the last one writes `file`, unless it is there; never leaves a half of it. */
async function make(pki: string, file: string, commands: (file: string) => string[][]): Promise<void> {
  const whole = path.join(pki, file);
  if (existsSync(whole)) return;
  const partial = `${whole}.partial`;
  for (const args of commands(partial)) await execa("openssl", args, { stdin: "ignore" });
  await rename(partial, whole);
}

async function kubeconfig(pki: string, name: string, server: string): Promise<string> {
  const encoded = async (file: string): Promise<string> => (await readFile(path.join(pki, file))).toString("base64");
  const cluster = { server: `https://${server}:6443`, "certificate-authority-data": await encoded("ca.crt") };
  const user = {
    "client-certificate-data": await encoded(`${name}.crt`),
    "client-key-data": await encoded(`${name}.key`),
  };
  const all = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "embedded", cluster }],
    users: [{ name, user }],
    contexts: [{ name: "embedded", context: { cluster: "embedded", user: name } }],
    "current-context": "embedded",
  };
  return `${JSON.stringify(all, undefined, 2)}\n`; // JSON is YAML
}
