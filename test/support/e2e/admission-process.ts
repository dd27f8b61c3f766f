/**
 * The admission process as it runs in its Pod, alone beside an API server: the bundle of the image, its certificate in a
 * Secret, Pepr's store. Without the network of a cluster between, so that a test or a benchmark sees nothing but it.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { bundle } from "../../../hack/image";
import { issue, type Issued } from "../../../capabilities/admission/certificates/issue";
import { certificateSecret, serviceName } from "../../../capabilities/admission/certificates/objects";
import { must, type Resource } from "../../../capabilities/engine";
import { CRDS, freePort, type ApiServer } from "./api-server";
import { eventually } from "./eventually";

const NAMESPACE = "ovs-traffic-control";
const PEPR_NAMESPACE = "pepr-system";
const NAMESPACES: Resource = { group: "", version: "v1", plural: "namespaces" };
const LIFE_MS = 24 * 3_600_000;

export class AdmissionProcess {
  /** Where its certificate is, unless that is in a Secret. */
  private readonly mounted: string;
  /** What it has logged, one JSON line per message. */
  log = "";

  private constructor(
    private readonly directory: string,
    private readonly child: ChildProcess,
    private readonly statusPort: number,
    /** HTTPS. */
    readonly port: number,
    public certificate: Issued,
    /** What the certificate is for. */
    readonly serverName: string,
  ) {
    this.mounted = mountIn(directory);
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding("utf8").on("data", (text: string) => (this.log += text));
  }

  /**
   * @param server a fresh one, with TrafficControls; gets everything else that the process reads
   * @param isMounted whether its certificate is in a directory, as the kubelet mounts a Secret that cert-manager writes
   */
  static async start(server: ApiServer, { isMounted = false } = {}): Promise<AdmissionProcess> {
    const certificate = await issue(serviceName(NAMESPACE), Date.now(), LIFE_MS);
    await prepare(server, isMounted ? undefined : certificate);
    const directory = await mkdtemp(path.join(tmpdir(), "admission-"));
    if (isMounted) await mount(mountIn(directory), certificate);
    await bundle(path.join(directory, "dist"));
    const [port, statusPort] = await Promise.all([freePort(), freePort()]);
    const env = {
      ...{ PATH: process.env["PATH"], TMPDIR: directory, KUBECONFIG: server.kubeconfig, LOG_LEVEL: "info" },
      ...{ POD_NAMESPACE: NAMESPACE, WEBHOOK_PORT: String(port), METRICS_PORT: String(statusPort), DRAIN_SECONDS: "0" },
      ...(isMounted ? { CERTIFICATE_DIRECTORY: mountIn(directory) } : {}),
    };
    const program = path.join(directory, "dist/main.js");
    const child = spawn(process.execPath, [program, "admission"], { env, stdio: ["ignore", "pipe", "pipe"] });
    const found = new AdmissionProcess(directory, child, statusPort, port, certificate, serviceName(NAMESPACE));
    try {
      await eventually("the admission process is ready", () => !found.isRunning || found.isReady(), { seconds: 60 });
      if (!found.isRunning) throw new Error(`It has ended with ${child.exitCode ?? child.signalCode ?? "?"}.`);
      return found;
    } catch (error) {
      await found.stop();
      throw new Error(`The admission process did not start:\n${found.log}`, { cause: error });
    }
  }

  /** Whether it is still the process that was started. */
  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** The sum of a metric's series, those whose labels have all of `labels`. */
  async metric(name: string, labels: Record<string, string> = {}): Promise<number> {
    return sumOf(await this.metrics(), name, labels);
  }

  /** All metrics as text. Reading them begins a new round of those that are about the time since the last reading. */
  async metrics(): Promise<string> {
    return (await fetch(`http://127.0.0.1:${this.statusPort}/metrics`)).text();
  }

  /** Exchanges the mounted certificate for another one, of another CA. */
  async renew(): Promise<void> {
    this.certificate = await issue(this.serverName, Date.now(), LIFE_MS);
    await mount(this.mounted, this.certificate);
  }

  async stop(): Promise<void> {
    if (this.isRunning) {
      const exited = once(this.child, "exit");
      this.child.kill("SIGKILL");
      await exited;
    }
    await rm(this.directory, { recursive: true, force: true });
  }

  private async isReady(): Promise<boolean> {
    return (await fetch(`http://127.0.0.1:${this.statusPort}/readyz`)).ok;
  }
}

/** @param metrics in Prometheus' text format */
export function sumOf(metrics: string, name: string, labels: Record<string, string> = {}): number {
  const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
  return metrics
    .split("\n")
    .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
    .filter((line) => wanted.every((label) => line.includes(label)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}

function mountIn(directory: string): string {
  return path.join(directory, "certificates");
}

/** As the kubelet does it: a folder for each version, and a link that points to the newest, exchanged in one step. */
async function mount(directory: string, { ca, certificate, key }: Issued): Promise<void> {
  await mkdir(directory, { recursive: true });
  const version = await mkdtemp(path.join(directory, "..version-"));
  for (const [name, text] of Object.entries({ "tls.crt": certificate, "tls.key": key, "ca.crt": ca })) {
    await writeFile(path.join(version, name), text);
    await symlink(path.join("..data", name), path.join(directory, name)).catch(() => undefined);
  }
  await symlink(path.basename(version), path.join(directory, "..data_tmp"));
  await rename(path.join(directory, "..data_tmp"), path.join(directory, "..data"));
}

/** @param issued what is put into a Secret */
async function prepare({ client }: ApiServer, issued: Issued | undefined): Promise<void> {
  must(await client.create({ resource: CRDS }, PEPR_STORE), "Creating the CRD of Pepr's store");
  for (const name of [NAMESPACE, PEPR_NAMESPACE])
    must(await client.create({ resource: NAMESPACES }, { metadata: { name } }), `Creating the Namespace ${name}`);
  if (issued !== undefined) {
    const { name, ...secrets } = certificateSecret(NAMESPACE);
    const stringData = { "tls.crt": issued.certificate, "tls.key": issued.key, "ca.crt": issued.ca };
    const body = { metadata: { name }, type: "kubernetes.io/tls", stringData };
    must(await client.create(secrets, body), "Creating a Secret");
  }
  const stores = { resource: { group: "pepr.dev", version: "v1", plural: "peprstores" }, namespace: PEPR_NAMESPACE };
  await eventually("Pepr's store is served", async () => (await client.list(stores)).ok, { seconds: 30 });
}

/** As charts/ovs-traffic-control/templates/crds.yaml has it. */
const PEPR_STORE = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "peprstores.pepr.dev" },
  spec: {
    group: "pepr.dev",
    scope: "Namespaced",
    names: { kind: "PeprStore", listKind: "PeprStoreList", plural: "peprstores", singular: "peprstore" },
    versions: [
      {
        ...{ name: "v1", served: true, storage: true },
        schema: {
          openAPIV3Schema: {
            type: "object",
            properties: { data: { type: "object", additionalProperties: { type: "string" } } },
          },
        },
      },
    ],
  },
};
