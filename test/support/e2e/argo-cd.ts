/**
 * A real Argo CD without its images: repo server, application controller and the cache between them, three processes beside
 * the cluster's API server. Each ends when this process does, however that ends, because its standard input ends with it;
 * each listens on a port that the system chooses. Used by test/e2e/argo-cd.test.ts.
 */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import type { Cluster } from "../../../hack/cluster";
import { argoCd, helm } from "../../../hack/toolchain";
import { eventually } from "./eventually";

export const ARGO_NAMESPACE = "argocd";
const CRDS = ["application-crd.yaml", "appproject-crd.yaml"];
const LABELS = { "app.kubernetes.io/part-of": "argocd" };
/** Lines of the log that are shown when something did not come. */
const TAIL = 30;

export class ArgoCd {
  private readonly log: string[] = [];
  private readonly processes: ChildProcess[] = [];

  private constructor(
    private readonly cluster: Cluster,
    private readonly directory: string,
    private readonly programs: string,
    /** Folder of helm, which the repo server calls. */
    private readonly path: string,
  ) {}

  /** @param settings what is in argocd-cm */
  static async start(cluster: Cluster, settings: Record<string, string>): Promise<ArgoCd> {
    const directory = await mkdtemp(path.join(tmpdir(), "argo-cd-"));
    const argo = new ArgoCd(cluster, directory, await argoCd(), path.dirname(await helm()));
    try {
      await argo.prepare(settings);
      const redis = await argo.run("argocd-redis", [], /^(\d+)$/);
      const repoServer = await argo.run(
        "argocd-repo-server",
        [
          "--address=127.0.0.1",
          "--port=0",
          "--metrics-address=127.0.0.1",
          "--metrics-port=0",
          ...cacheAt(redis),
        ].concat(
          // Without it, a new commit is seen after three minutes.
          "--revision-cache-expiration=1s",
        ),
        /listening on 127\.0\.0\.1:(\d+)/,
      );
      await argo.run("argocd-application-controller", [
        ...[
          `--namespace=${ARGO_NAMESPACE}`,
          `--repo-server=127.0.0.1:${repoServer}`,
          "--metrics-port=0",
          ...cacheAt(redis),
        ],
        ...["--app-resync=5", "--app-resync-jitter=0", "--repo-error-grace-period-seconds=1"],
        // Else the health of an Application's objects is in the cache only.
        "--persist-resource-health",
      ]);
      return argo;
    } catch (error) {
      await argo.stop();
      throw error;
    }
  }

  /** The end of what the three have said, for whoever looks at a failure. */
  get tail(): string {
    return this.log.slice(-TAIL).join("\n");
  }

  /** Ends the processes; what is in the cluster stays. */
  async stop(): Promise<void> {
    await Promise.all(
      this.processes.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = once(child, "exit");
        child.kill("SIGKILL");
        await ended;
      }),
    );
    await rm(this.directory, { recursive: true, force: true });
  }

  private file(name: string): string {
    return path.join(this.directory, name);
  }

  private async prepare(settings: Record<string, string>): Promise<void> {
    for (const name of ["tmp", "tls", "ssh", "gnupg", "home", "plugins"]) await mkdir(this.file(name));
    await writeFile(this.file("ssh/ssh_known_hosts"), "");
    const crds = CRDS.flatMap((name) => ["-f", path.join(this.programs, name)]);
    const apply = ["apply", "--server-side", "--force-conflicts"];
    await this.cluster.kubectl([...apply, ...crds]);
    const input = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects(settings) });
    await eventually("Argo CD's kinds are served", () => this.cluster.kubectl([...apply, "-f", "-"], { input }), {
      seconds: 30,
      pauseMilliseconds: 200,
    });
  }

  /** Starts one of the three. With `ready`, resolves when it says that, with its first group. */
  private async run(role: string, args: string[], ready?: RegExp): Promise<string> {
    const child = this.cluster.spawnHost(path.join(this.programs, "argo-cd"), args, {
      stdio: ["pipe", "pipe", "pipe"],
      env: {
        ...{ ARGOCD_BINARY_NAME: role, END_WITH_STDIN: "yes", HOSTNAME: "argo-cd-0", ARGOCD_SYNC_WAVE_DELAY: "0" },
        // https://kubernetes.default.svc is the cluster of KUBECONFIG.
        ...{ ARGOCD_FAKE_IN_CLUSTER: "true", ARGOCD_GPG_ENABLED: "false", ARGOCD_CONTROLLER_REPLICAS: "1" },
        ...{ ARGOCD_TLS_DATA_PATH: this.file("tls"), ARGOCD_SSH_DATA_PATH: this.file("ssh") },
        ...{ ARGOCD_GNUPGHOME: this.file("gnupg"), ARGOCD_PLUGINSOCKFILEPATH: this.file("plugins") },
        ...{ ARGOCD_ASK_PASS_SOCK: this.file("ask-pass"), TMPDIR: this.file("tmp"), HOME: this.file("home") },
        PATH: `${this.path}:${process.env["PATH"] ?? ""}`,
      },
    });
    this.processes.push(child);
    return new Promise((resolve, reject) => {
      const read = (line: string): void => {
        this.log.push(`${role}: ${line}`);
        const found = ready?.exec(line)?.[1];
        if (found !== undefined) resolve(found);
      };
      for (const stream of [child.stdout!, child.stderr!]) createInterface({ input: stream }).on("line", read);
      child.once("error", reject);
      child.once("exit", (code, signal) => {
        reject(new Error(`${role} ended with ${code ?? signal ?? "?"}:\n${this.tail}`));
      });
      if (ready === undefined) child.once("spawn", () => resolve(""));
    });
  }
}

function cacheAt(port: string): string[] {
  return [`--redis=127.0.0.1:${port}`, "--redis-compress=none", "--logformat=text"];
}

/** What Argo CD's own installation makes, in the parts that its controller and repo server read. */
function objects(settings: Record<string, string>): object[] {
  const named = (name: string): object => ({ metadata: { name, namespace: ARGO_NAMESPACE, labels: LABELS } });
  const everything = { namespace: "*", server: "*" };
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: ARGO_NAMESPACE } },
    { apiVersion: "v1", kind: "ConfigMap", ...named("argocd-cm"), data: { ...DEFAULTS, ...settings } },
    { apiVersion: "v1", kind: "Secret", ...named("argocd-secret"), stringData: { "server.secretkey": "of-a-test" } },
    {
      ...{ apiVersion: "argoproj.io/v1alpha1", kind: "AppProject", ...named("default") },
      spec: {
        ...{ sourceRepos: ["*"], destinations: [everything] },
        clusterResourceWhitelist: [{ group: "*", kind: "*" }],
      },
    },
  ];
}

/** As in its installation: a status that changes is no reason to compare everything anew, unless the health changes. */
const DEFAULTS = {
  "resource.customizations.ignoreResourceUpdates.all": "jsonPointers:\n  - /status\n",
  "resource.exclusions": JSON.stringify([
    { apiGroups: ["", "discovery.k8s.io"], kinds: ["Endpoints", "EndpointSlice"] },
    { apiGroups: ["coordination.k8s.io"], kinds: ["Lease"] },
  ]),
};
