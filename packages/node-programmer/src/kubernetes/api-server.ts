/**
 * Just enough of a Kubernetes client for one object: requests and one watch over kept-alive connections. The full client
 * would be most of the process's start time and memory. Called by KubernetesPlan.
 */
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import type { IncomingMessage } from "node:http";

const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

export interface ApiServerOptions {
  host: string;
  port: number;
  /** PEM. */
  ca: Buffer;
  /** Read before each request: the kubelet replaces the token file before the token expires. */
  token: () => string;
}

/** The API server as a Pod sees it. */
export function inCluster(): ApiServer {
  const host = process.env["KUBERNETES_SERVICE_HOST"];
  if (host === undefined)
    throw new Error("KUBERNETES_SERVICE_HOST is not set: not in a Pod. Use --plan FILE outside a cluster.");
  return new ApiServer({
    host,
    port: Number(process.env["KUBERNETES_SERVICE_PORT"] ?? 443),
    ca: readFileSync(`${SERVICE_ACCOUNT}/ca.crt`),
    token: () => readFileSync(`${SERVICE_ACCOUNT}/token`, "utf8").trim(),
  });
}

/** An answer that is not 2xx. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    what: string,
    body: string,
  ) {
    super(`${what}: ${status} ${messageOf(body)}`);
  }
}

export class ApiServer {
  private readonly agent: Agent;

  constructor(private readonly options: ApiServerOptions) {
    this.agent = new Agent({ keepAlive: true, ca: options.ca });
  }

  async get(path: string): Promise<unknown> {
    return JSON.parse(await this.call("GET", path));
  }

  async mergePatch(path: string, patch: unknown): Promise<unknown> {
    return JSON.parse(await this.call("PATCH", path, JSON.stringify(patch), "application/merge-patch+json"));
  }

  /**
   * Follows a watch; one parsed event per call. Resolves when the server ends it (it does, every few minutes), rejects
   * on an error. No byte for `silenceMilliseconds`, not even a bookmark, counts as one: the connection is dead.
   */
  watch(
    path: string,
    onEvent: (event: { type: string; object: unknown }) => void,
    signal: AbortSignal,
    silenceMilliseconds: number,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const req = this.request("GET", path, signal, undefined, (response) => {
        if (response.statusCode !== 200) {
          text(response).then((body) => {
            reject(new ApiError(response.statusCode ?? 0, `GET ${path}`, body));
          }, reject);
          return;
        }
        let rest = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          const lines = (rest + chunk).split("\n");
          rest = lines.pop() ?? "";
          for (const line of lines) if (line !== "") onEvent(JSON.parse(line) as { type: string; object: unknown });
        });
        response.once("end", resolve);
        response.once("error", reject);
      });
      req.setTimeout(silenceMilliseconds, () => {
        req.destroy(new Error(`the watch was silent for ${silenceMilliseconds / 1000} s`));
      });
      req.once("error", reject);
      req.end();
    });
  }

  close(): void {
    this.agent.destroy();
  }

  private call(method: string, path: string, body?: string, type?: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const req = this.request(method, path, AbortSignal.timeout(15_000), type, (response) => {
        text(response).then((answer) => {
          const status = response.statusCode ?? 0;
          if (status >= 200 && status < 300) resolve(answer);
          else reject(new ApiError(status, `${method} ${path}`, answer));
        }, reject);
      });
      req.once("error", reject);
      req.end(body);
    });
  }

  private request(
    method: string,
    path: string,
    signal: AbortSignal,
    type: string | undefined,
    onResponse: (response: IncomingMessage) => void,
  ): ReturnType<typeof request> {
    const { host, port, token } = this.options;
    const headers: Record<string, string> = {
      Authorization: `Bearer ${token()}`,
      Accept: "application/json",
      "User-Agent": "ovs-traffic-control-programmer",
    };
    if (type !== undefined) headers["Content-Type"] = type;
    return request({ host, port, method, path, headers, agent: this.agent, signal }, onResponse);
  }
}

async function text(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

/** The message of a Status object; the body itself if it is none. */
function messageOf(body: string): string {
  try {
    return (JSON.parse(body) as { message?: string }).message ?? body;
  } catch {
    return body.slice(0, 500);
  }
}
