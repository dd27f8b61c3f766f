/**
 * Address, TLS and credentials of the API server, from wherever @kubernetes/client-node finds them (KUBECONFIG, ~/.kube/config, the
 * Pod's ServiceAccount), with one pool of kept-alive connections. client-node 1.4.0 itself opens a TLS connection per request.
 */
import { KubeConfig } from "@kubernetes/client-node";
import http from "node:http";
import https from "node:https";

/** Tokens and certificates on disk are rotated; client-go looks again once a minute as well. */
const CREDENTIALS_MAXIMUM_AGE_MS = 30_000;

export interface ConnectionOptions {
  server: URL;
  agent: http.Agent;
  headers: Record<string, string>;
}

export class Connection {
  readonly server: URL;
  private current: { options: ConnectionOptions; fingerprint: string; readAt: number } | undefined;

  constructor(private readonly config: KubeConfig) {
    const cluster = config.getCurrentCluster();
    if (cluster === null) throw new Error("The kubeconfig names no cluster: set KUBECONFIG or run in a Pod.");
    this.server = new URL(cluster.server);
  }

  static fromEnvironment(): Connection {
    const config = new KubeConfig();
    config.loadFromDefault();
    return new Connection(config);
  }

  async options(): Promise<ConnectionOptions> {
    const now = performance.now();
    if (this.current !== undefined && now - this.current.readAt < CREDENTIALS_MAXIMUM_AGE_MS)
      return this.current.options;
    const tls: https.RequestOptions = { headers: {} };
    await this.config.applyToHTTPSOptions(tls);
    const { ca, cert, key, rejectUnauthorized, servername, auth } = tls;
    const headers = Object.fromEntries(Object.entries(tls.headers ?? {}).map(([name, value]) => [name, String(value)]));
    if (typeof auth === "string") headers["Authorization"] = `Basic ${Buffer.from(auth).toString("base64")}`;
    const material = { ca, cert, key, rejectUnauthorized, servername };
    const fingerprint = JSON.stringify(material, (_name, value: unknown) =>
      Buffer.isBuffer(value) ? value.toString("base64") : value,
    );
    const agent = this.current?.fingerprint === fingerprint ? this.current.options.agent : this.newAgent(material);
    this.current = { options: { server: this.server, agent, headers }, fingerprint, readAt: now };
    return this.current.options;
  }

  /** Reads the credentials again with the next request: the server has refused them. */
  expireCredentials(): void {
    if (this.current !== undefined) this.current.readAt = -Infinity;
  }

  close(): void {
    this.current?.options.agent.destroy();
  }

  private newAgent(material: https.AgentOptions): http.Agent {
    const pool: https.AgentOptions = { keepAlive: true, keepAliveMsecs: 10_000, maxSockets: 64, scheduling: "lifo" };
    return this.server.protocol === "http:" ? new http.Agent(pool) : new https.Agent({ ...pool, ...material });
  }
}
