/**
 * A control plane with nodes that KWOK plays: a real etcd, API server, controller-manager (default settings) and scheduler, on loopback of
 * the network namespace it is started in. No kubelet, no Open vSwitch: for what depends on numbers only. Used by scenario.ts.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { execa } from "execa";
import { parse } from "yaml";
import { binaries, kwok } from "../../../hack/toolchain";
import { must, type KubernetesClient } from "../../../capabilities/engine";
import { ApiServer, CRDS } from "../e2e/api-server";
import { eventually } from "../e2e/eventually";

const CRD_DIRECTORY = path.join(import.meta.dirname, "../../../crds");
const stages = (file: string): string[] => ["--config", path.join(import.meta.dirname, file)];

export class KwokCluster {
  private kubelets: ChildProcess | undefined;

  private constructor(
    private readonly server: ApiServer,
    private readonly program: string,
    private readonly processes: ChildProcess[],
  ) {}

  static async start(): Promise<KwokCluster> {
    const [programs, program] = await Promise.all([binaries(), kwok()]);
    const server = await ApiServer.start(["--allow-privileged", "--disable-admission-plugins=ServiceAccount"]);
    // The controller-manager gives up if it is not healthy within ten seconds.
    const ready = ["--kubeconfig", server.kubeconfig, "get", "--raw", "/readyz"];
    const isReady = async (): Promise<boolean> =>
      (await execa(programs.kubectl, ready, { reject: false })).exitCode === 0;
    await eventually("the API server is healthy", isReady, { seconds: 120, pauseMilliseconds: 300 });
    const common = ["--kubeconfig", server.kubeconfig, "--leader-elect=false", "--secure-port=0"];
    const controllers = "--controllers=job-controller,garbage-collector-controller,namespace-controller";
    const cluster = new KwokCluster(server, program, [
      run(programs["kube-controller-manager"], [...common, controllers]),
      run(programs["kube-scheduler"], common),
    ]);
    try {
      for (const file of ["trafficcontrols.yaml", "nodetrafficplans.yaml"]) {
        const crd: unknown = parse(await readFile(path.join(CRD_DIRECTORY, file), "utf8"), { maxAliasCount: -1 });
        must(await server.client.create({ resource: CRDS }, crd), `Creating the CRD of ${file}`);
      }
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  get client(): KubernetesClient {
    return this.server.client;
  }

  get kubeconfig(): string {
    return this.server.kubeconfig;
  }

  /** Kubelets and, if they are resident, programmers; once more: in the other mode. */
  async play(programmers: "resident" | "oneShot"): Promise<void> {
    await end(this.kubelets);
    this.kubelets = run(this.program, [
      ...["--kubeconfig", this.kubeconfig, "--manage-all-nodes", "--v", "ERROR", ...stages("stages.yaml")],
      ...(programmers === "resident" ? stages("plans.yaml") : []),
    ]);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.processes, this.kubelets].map(end));
    await this.server.stop();
  }
}

function run(command: string, args: string[]): ChildProcess {
  const log = process.env["KWOK_LOGS"] === undefined ? "ignore" : "inherit";
  return spawn(command, args, { stdio: ["ignore", log, log] });
}

async function end(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}
