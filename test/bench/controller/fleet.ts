/** The stand-in API server as a child process, and the controller against it in this one. Used by main.ts. */
import { KubeConfig } from "@kubernetes/client-node";
import { fork, type ChildProcess } from "node:child_process";
import path from "node:path";
import { startController, type Controller } from "../../../capabilities/controller";
import { Connection, KubernetesClient, leaseClient } from "../../../capabilities/engine";
import type { Population, Size } from "./population";
import type { Order, Report } from "./stand-in";
import type { Stored } from "./store";

type Plan = Extract<Report, { event: "plan" }>;

export class Fleet {
  readonly plans: Plan[] = [];
  private readonly nodesPlanned = new Set<string>();
  private readonly waiting: (() => void)[] = [];
  private controller: Controller | undefined;
  private readonly connections: Connection[] = [];

  private constructor(
    private readonly server: ChildProcess,
    private readonly port: number,
    readonly size: Size,
  ) {
    server.on("message", (report: Report) => {
      if (report.event !== "plan") return;
      this.plans.push(report);
      this.nodesPlanned.add(report.node);
      for (const wake of this.waiting.splice(0)) wake();
    });
  }

  static async start(size: Size): Promise<Fleet> {
    const server = fork(path.join(import.meta.dirname, "stand-in.ts"), { execArgv: ["--import", "tsx"] });
    const { port } = await next(server, "listening");
    const fleet = new Fleet(server, port, size);
    await fleet.order({ do: "fill", size });
    return fleet;
  }

  async order(order: Order): Promise<void> {
    this.server.send(order);
    await next(this.server, order.do === "count" ? "count" : "done");
  }

  put(collection: string, object: Stored): Promise<void> {
    return this.order({ do: "put", collection, object });
  }

  putPod(population: Population, index: number, changes: { node?: string; uid?: string; namespace?: string }): void {
    const pod = population.rawPod(index);
    const { namespace = pod.metadata.namespace, uid = pod.metadata.uid, node = pod.spec.nodeName } = changes;
    const object = { ...pod, metadata: { ...pod.metadata, namespace, uid }, spec: { ...pod.spec, nodeName: node } };
    // Not waited for: events come as they come.
    this.server.send({ do: "put", collection: "/api/v1/pods", object: object as unknown as Stored } satisfies Order);
  }

  /** Requests so far by method and kind. */
  async requests(): Promise<Record<string, number>> {
    this.server.send({ do: "count" } satisfies Order);
    return (await next(this.server, "count")).requests;
  }

  /** A client of its own. */
  connect(): Connection {
    const config = new KubeConfig();
    const cluster = { name: "stand-in", server: `http://127.0.0.1:${this.port}`, skipTLSVerify: true };
    config.loadFromClusterAndUser(cluster, { name: "bench", token: "none" });
    const connection = new Connection(config);
    this.connections.push(connection);
    return connection;
  }

  async startController(): Promise<Controller> {
    const [connection, lease] = [this.connect(), this.connect()];
    this.controller = await startController(ENVIRONMENT, {
      connect: (metrics, mayWrite, purpose) =>
        purpose === "lease" ? leaseClient(lease, metrics) : new KubernetesClient({ connection, metrics, mayWrite }),
    });
    return this.controller;
  }

  /** Resolves with the plan once it is written. */
  async until(holds: (plan: Plan) => boolean, from = 0): Promise<Plan> {
    for (let i = from; ; ) {
      for (; i < this.plans.length; i++) if (holds(this.plans[i]!)) return this.plans[i]!;
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }

  /** Resolves when so many nodes have had a plan written since then. */
  async untilPlanned(nodes: number, from = 0): Promise<void> {
    const planned = new Set<string>();
    await this.until(({ node }) => planned.add(node).size >= nodes, from);
  }

  async stop(): Promise<void> {
    await this.controller?.stop();
    for (const connection of this.connections) connection.close();
    this.server.disconnect();
  }
}

/** More than any controller-manager completes: what is measured is the controller. */
export const JOBS_PER_SECOND = 200;

const ENVIRONMENT = {
  podName: "bench",
  podNamespace: "operator",
  nodesNamespace: "nodes",
  programmerImage: "image:1",
  lingerSeconds: 300,
  programmerMode: "resident" as const,
  honoursOptOut: true,
  antreaNamespace: "kube-system",
  jobsInFlight: 50,
  jobsPerSecond: JOBS_PER_SECOND,
  metricsPort: 0,
  ovsRunDirectory: "/run/openvswitch",
  netnsDirectory: "/run/netns",
  // The stand-in keeps no Secrets: they would be made again and again.
  keepsCertificates: false,
  cleanupDeadlineSeconds: 60,
  drainDeadlineSeconds: 120,
};

function next<E extends Report["event"]>(server: ChildProcess, event: E): Promise<Extract<Report, { event: E }>> {
  return new Promise((resolve) => {
    const onMessage = (report: Report): void => {
      if (report.event !== event) return;
      server.off("message", onMessage);
      resolve(report as Extract<Report, { event: E }>);
    };
    server.on("message", onMessage);
  });
}
