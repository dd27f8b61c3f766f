/**
 * A fake of faults: an HTTP proxy before the real API server that answers for it, swallows answers, is late and breaks off. Only what a
 * network or an overloaded API server really does: events are never reordered or made up. Which fault comes when is in the seed.
 */
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { KubeConfig } from "@kubernetes/client-node";
import { shuffled } from "../random";

const ON_READS = ["reset", "late", "429", "500", "503"] as const;
const ON_WRITES = ["reset", "late", "409", "429", "500", "503", "done, but reset", "done, but no answer"] as const;
const ON_WATCHES = ["reset", "cut in the middle of a line", "cut in the middle of a line", "410"] as const;
export type Fault = (typeof ON_READS)[number] | (typeof ON_WRITES)[number] | (typeof ON_WATCHES)[number];
export const FAULTS: Fault[] = [...new Set([...ON_READS, ...ON_WRITES, ...ON_WATCHES])];

/** Of the requests that could have one. */
const SHARE = { reads: 0.3, writes: 0.5, watches: 0.8 };
const MOST_LATENESS_MS = 400;
/** Longer than the client waits for the answer to a write. */
const SILENCE_MS = 6_000;
const CUT_AFTER_MS = { least: 300, most: 3_000 };
const REASONS: Record<string, string> = {
  "409": "Conflict",
  "429": "TooManyRequests",
  "500": "InternalError",
  "503": "ServiceUnavailable",
};

/** Draws each fault once before it draws one twice. */
class Bag<T> {
  private left: T[] = [];
  constructor(
    private readonly random: () => number,
    private readonly all: readonly T[],
  ) {}
  draw(): T {
    if (this.left.length === 0) this.left = shuffled(this.random, this.all);
    return this.left.pop()!;
  }
}

export class FaultProxy {
  /** No faults, until it is set. */
  isHostile = false;
  /** How often each fault was made. */
  readonly made = new Map<Fault, number>();
  /** Writes that have arrived, but for the Lease's, as "PATCH /apis/…". */
  readonly writes: string[] = [];
  /** Of those, how many have neither had an answer nor lost their connection. */
  unansweredWrites = 0;
  private readonly agent: https.Agent;
  private readonly upstream: URL;
  private readonly reads: Bag<Fault>;
  private readonly changes: Bag<Fault>;
  private readonly watches: Bag<Fault>;
  private readonly server = http.createServer((request, response) => this.serve(request, response));

  private constructor(
    kubeconfig: string,
    private readonly random: () => number,
  ) {
    const config = new KubeConfig();
    config.loadFromFile(kubeconfig);
    const cluster = config.getCurrentCluster()!;
    this.upstream = new URL(cluster.server);
    const ca = cluster.caData === undefined ? readFileSync(cluster.caFile!) : Buffer.from(cluster.caData, "base64");
    this.agent = new https.Agent({ ca, keepAlive: true });
    this.reads = new Bag<Fault>(random, ON_READS);
    this.changes = new Bag<Fault>(random, ON_WRITES);
    this.watches = new Bag<Fault>(random, ON_WATCHES);
  }

  /** @param kubeconfig names the API server; the credentials are those that its clients send. */
  static async start(kubeconfig: string, random: () => number): Promise<FaultProxy> {
    const proxy = new FaultProxy(kubeconfig, random);
    await new Promise<void>((resolve) => proxy.server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    this.agent.destroy();
    await closed;
  }

  private serve(request: http.IncomingMessage, response: http.ServerResponse): void {
    const { method = "GET", url = "/" } = request;
    const isWatch = /[?&]watch=true/.test(url);
    const isRead = method === "GET";
    if (!isRead && !url.includes("/leases")) {
      this.writes.push(`${method} ${url}`);
      this.unansweredWrites += 1;
      response.once("close", () => (this.unansweredWrites -= 1));
    }
    const [bag, share] = isWatch
      ? ([this.watches, SHARE.watches] as const)
      : isRead
        ? ([this.reads, SHARE.reads] as const)
        : ([this.changes, SHARE.writes] as const);
    const fault = this.isHostile && this.random() < share ? bag.draw() : undefined;
    if (fault !== undefined) this.made.set(fault, (this.made.get(fault) ?? 0) + 1);
    switch (fault) {
      case "reset":
        request.socket.resetAndDestroy();
        return;
      case "409":
      case "429":
      case "500":
      case "503":
        refuse(request, response, fault);
        return;
      case "410":
        request.resume();
        response.writeHead(200, { "Content-Type": "application/json" });
        response.end(`${JSON.stringify({ type: "ERROR", object: statusOf(410, "Expired") })}\n`);
        return;
      case "late":
        setTimeout(() => this.forward(request, response), this.random() * MOST_LATENESS_MS);
        return;
      default:
        this.forward(request, response, fault);
    }
  }

  private forward(request: http.IncomingMessage, response: http.ServerResponse, fault?: Fault): void {
    const { hostname, port } = this.upstream;
    const headers = { ...request.headers, host: this.upstream.host };
    const onward = https.request({
      hostname,
      port,
      path: request.url,
      method: request.method,
      headers,
      agent: this.agent,
    });
    response.on("close", () => onward.destroy());
    onward.on("error", () => request.socket.destroy());
    onward.on("response", (answer) => {
      answer.on("error", () => request.socket.destroy());
      if (fault === "done, but reset" || fault === "done, but no answer") {
        answer.resume();
        const reset = (): void => void request.socket.resetAndDestroy();
        answer.once("end", () => (fault === "done, but reset" ? reset() : void setTimeout(reset, SILENCE_MS)));
        return;
      }
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      response.flushHeaders();
      if (fault === "cut in the middle of a line") this.cut(request, response, answer);
      else answer.pipe(response);
    });
    request.pipe(onward);
  }

  /** After a while the next event gets only half through. */
  private cut(request: http.IncomingMessage, response: http.ServerResponse, answer: http.IncomingMessage): void {
    const from = Date.now() + CUT_AFTER_MS.least + this.random() * (CUT_AFTER_MS.most - CUT_AFTER_MS.least);
    answer.on("data", (chunk: Buffer) => {
      if (Date.now() < from) {
        response.write(chunk);
        return;
      }
      // The connection is only broken once the half has left.
      response.write(chunk.subarray(0, Math.floor(chunk.length / 2)), () => request.socket.destroy());
      answer.destroy();
    });
    answer.on("end", () => response.end());
  }
}

function refuse(request: http.IncomingMessage, response: http.ServerResponse, code: string): void {
  request.resume();
  const headers = { "Content-Type": "application/json", ...(code === "429" ? { "Retry-After": "1" } : {}) };
  response.writeHead(Number(code), headers);
  response.end(JSON.stringify(statusOf(Number(code), REASONS[code]!)));
}

function statusOf(code: number, reason: string): object {
  return { kind: "Status", apiVersion: "v1", status: "Failure", code, reason, message: "by the fault proxy" };
}
