/**
 * An API server with nothing but its etcd, for tests of what the CRD does by itself. Listens on loopback of the network
 * namespace it is started in, beside a cluster's own.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { binaries } from "../../../hack/toolchain";
import { Connection, EngineMetrics, KubernetesClient, must, type Resource } from "../../../capabilities/engine";
import { TRAFFIC_CONTROL } from "@ovs-traffic-control/api";
import { KubeConfig } from "@kubernetes/client-node";
import { parse } from "yaml";
import { eventually } from "./eventually";

export const CRDS: Resource = { group: "apiextensions.k8s.io", version: "v1", plural: "customresourcedefinitions" };
const CRD_FILE = path.join(import.meta.dirname, "../../../crds/trafficcontrols.yaml");
const USER = { name: "admin", token: "admin" };

export class ApiServer {
  private constructor(
    private readonly directory: string,
    private readonly processes: ChildProcess[],
    /** Address and credentials as a file, for programs. */
    readonly kubeconfig: string,
    readonly client: KubernetesClient,
    private readonly connection: Connection,
  ) {}

  /** @param flags of the API server, besides those that it always has */
  static async start(flags: string[] = []): Promise<ApiServer> {
    const programs = await binaries();
    const directory = await mkdtemp(path.join(tmpdir(), "api-server-"));
    const [etcdPort, peerPort, port] = await Promise.all([freePort(), freePort(), freePort()]);
    const file = (name: string): string => path.join(directory, name);
    const keys = generateKeyPairSync("ec", {
      namedCurve: "P-256",
      publicKeyEncoding: { type: "spki", format: "pem" },
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
    });
    await writeFile(file("sa.key"), keys.privateKey, { mode: 0o600 });
    await writeFile(file("sa.pub"), keys.publicKey);
    await writeFile(file("tokens.csv"), `${USER.token},${USER.name},${USER.name},"system:masters"\n`, { mode: 0o600 });
    const client = `http://127.0.0.1:${etcdPort}`;
    const peer = `http://127.0.0.1:${peerPort}`;
    const etcd = [
      ...["--data-dir", file("etcd"), "--unsafe-no-fsync", "--log-level", "error"],
      ...["--listen-client-urls", client, "--advertise-client-urls", client],
      ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", `default=${peer}`],
    ];
    const server = [
      ...["--etcd-servers", client, "--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1"],
      ...["--secure-port", String(port), "--cert-dir", file("certificates"), "--token-auth-file", file("tokens.csv")],
      ...["--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.96.0.0/16"],
      ...["--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", file("sa.pub")],
      ...["--service-account-signing-key-file", file("sa.key"), ...flags],
    ];
    const processes = [run(programs.etcd, etcd), run(programs["kube-apiserver"], server)];
    try {
      const ca = file("certificates/apiserver.crt");
      await eventually("the API server has its certificate", () => existsSync(ca), { seconds: 30 });
      const kubeconfig = file("kubeconfig");
      const content = configuration(`https://127.0.0.1:${port}`, (await readFile(ca)).toString("base64"));
      await writeFile(kubeconfig, content, { mode: 0o600 });
      const config = new KubeConfig();
      config.loadFromString(content);
      const connection = new Connection(config);
      const api = new KubernetesClient({ connection, metrics: new EngineMetrics() });
      const started = new ApiServer(directory, processes, kubeconfig, api, connection);
      const roles = { group: "rbac.authorization.k8s.io", version: "v1", plural: "clusterroles" };
      await eventually("the API server is ready", async () => (await api.get({ resource: roles, name: "admin" })).ok, {
        seconds: 60,
      });
      return started;
    } catch (error) {
      await stop(processes);
      throw error;
    }
  }

  /** One that serves TrafficControls, with no webhook. */
  static async withTrafficControls(): Promise<ApiServer> {
    const server = await ApiServer.start();
    try {
      const crd: unknown = parse(await readFile(CRD_FILE, "utf8"), { maxAliasCount: -1 });
      must(await server.client.create({ resource: CRDS }, crd), "Creating the CRD");
      const served = async (): Promise<boolean> => (await server.client.list({ resource: TRAFFIC_CONTROL })).ok;
      await eventually("TrafficControls are served", served, { seconds: 30 });
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.connection.close();
    await stop(this.processes);
    await rm(this.directory, { recursive: true, force: true });
  }
}

function configuration(server: string, authority: string): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "test", cluster: { server, "certificate-authority-data": authority } }],
    users: [{ name: "test", user: { token: USER.token } }],
    contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
    "current-context": "test",
  });
}

function run(command: string, args: string[]): ChildProcess {
  return spawn(command, args, { stdio: "ignore" });
}

async function stop(processes: ChildProcess[]): Promise<void> {
  await Promise.all(
    processes.map(async (child) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    }),
  );
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
