/**
 * The few requests that bringing up a cluster needs, from outside its network namespaces: every connection goes through a
 * busybox nc inside. Faster than kubectl, which takes 0.1 s of a processor each time.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import path from "node:path";
import { Duplex } from "node:stream";
import { connect } from "node:tls";
import { inside } from "./namespaces";
import type { Places } from "./places";

export interface ApiResponse {
  status: number;
  text: string;
}

export class Api {
  private readonly agent: Agent;

  constructor(places: Places) {
    const read = (file: string): Buffer => readFileSync(path.join(places.pki, file));
    const credentials = { ca: read("ca.crt"), cert: read("admin.crt"), key: read("admin.key") };
    this.agent = new Agent({ keepAlive: true, maxSockets: 1 });
    this.agent.createConnection = (_options, ready) => {
      const socket = connect({ ...credentials, socket: tunnel(places), servername: "kubernetes" });
      socket.once("secureConnect", () => ready?.(null, socket));
      // Stays: destroying the tunnel is an error for the socket on top of it.
      socket.on("error", (error: Error) => ready?.(error, socket));
      return undefined;
    };
  }

  /** Rejects if there is no connection; any status is an answer. */
  call(method: string, url: string, body?: unknown): Promise<ApiResponse> {
    return new Promise((resolve, reject) => {
      const options = { method, path: url, host: "kubernetes", agent: this.agent, timeout: 10_000 };
      const headers = { accept: "application/json", "content-type": "application/json" };
      const call = request({ ...options, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() });
        });
      });
      call.on("error", reject);
      call.on("timeout", () => call.destroy(new Error(`${method} ${url}: no answer within 10 s`)));
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** The body of a successful GET; undefined if there is no connection or another status. */
  async get<T>(url: string): Promise<T | undefined> {
    const answer = await this.call("GET", url).catch(() => undefined);
    return answer?.status === 200 ? (JSON.parse(answer.text) as T) : undefined;
  }

  async ready(): Promise<boolean> {
    const answer = await this.call("GET", "/readyz").catch(() => undefined);
    return answer?.status === 200;
  }

  close(): void {
    this.agent.destroy();
  }
}

function tunnel(places: Places): Duplex {
  const [file, ...args] = inside({ network: places.machineNamespace }, ["/bin/busybox", "nc", "127.0.0.1", "6443"]);
  const child = spawn(file, args, { stdio: ["pipe", "pipe", "ignore"] });
  const stream = Duplex.from({ writable: child.stdin, readable: child.stdout });
  child.once("error", (error) => stream.destroy(error));
  stream.on("error", () => undefined); // the socket on top tells
  stream.once("close", () => child.kill());
  return stream;
}
