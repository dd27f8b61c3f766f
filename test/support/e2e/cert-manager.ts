/**
 * A real cert-manager without its images: its controllers and its cainjector as one process beside the cluster's API server,
 * for one Namespace. It ends when this process does, however that ends, because its standard input ends with it. Its webhook
 * is not there: it refuses mistakes in cert-manager's own objects. Used by test/e2e/cert-manager.test.ts.
 */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { parse } from "yaml";
import type { Cluster } from "../../../hack/cluster";
import { certManager, certManagerCrds } from "../../../hack/toolchain";

/** Lines of the log that are shown when something did not come. */
const TAIL = 40;

export interface Crd {
  metadata: { name: string };
  spec?: unknown;
}

/** cert-manager's own CRDs; what its chart would put into their metadata is left out. */
export async function certManagerKinds(labels: Record<string, string> = {}): Promise<Crd[]> {
  const files = await certManagerCrds();
  const crds = await Promise.all(files.map(async (file) => parse(await readFile(file, "utf8")) as Crd));
  return crds.map(({ metadata: { name }, ...crd }) => ({ ...crd, metadata: { name, labels } }));
}

export class CertManager {
  private readonly log: string[] = [];

  private constructor(
    private readonly cluster: Cluster,
    /** Names of its CRDs. */
    private readonly kinds: string[],
    private readonly child: ChildProcess,
  ) {
    for (const stream of [child.stdout!, child.stderr!])
      createInterface({ input: stream }).on("line", (line) => this.log.push(line));
  }

  /** Installs the CRDs and starts it for the objects of `namespace`. */
  static async start(cluster: Cluster, namespace: string): Promise<CertManager> {
    const items = await certManagerKinds();
    const kinds = items.map(({ metadata }) => metadata.name);
    const input = JSON.stringify({ apiVersion: "v1", kind: "List", items });
    await cluster.kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], { input });
    await cluster.kubectl(["wait", "--for=condition=Established", "crd", ...kinds, "--timeout=60s"]);
    const args = [cluster.kubeconfig, namespace];
    const child = cluster.spawnHost(await certManager(), args, { stdio: ["pipe", "pipe", "pipe"] });
    await once(child, "spawn");
    return new CertManager(cluster, kinds, child);
  }

  /** The end of what it has said, for whoever looks at a failure. */
  get tail(): string {
    const { exitCode, signalCode } = this.child;
    const state = exitCode === null && signalCode === null ? [] : [`It has ended with ${exitCode ?? signalCode}.`];
    return [...this.log.slice(-TAIL), ...state].join("\n");
  }

  /** Ends it and removes its kinds with all objects of them; Secrets stay. */
  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const ended = once(this.child, "exit");
      this.child.kill("SIGKILL");
      await ended;
    }
    await this.cluster.kubectl(["delete", "crd", ...this.kinds, "--ignore-not-found", "--timeout=60s"]);
  }
}
