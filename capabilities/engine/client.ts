/**
 * A thin client of the Kubernetes API: the verbs that this operator uses, with results instead of exceptions and with fencing. Every
 * room that talks to the API server gets one injected.
 */
import http from "node:http";
import https from "node:https";
import { FIELD_MANAGER } from "../api";
import type { Connection } from "./connection";
import type { EngineMetrics } from "./metrics";
import { pathOf, type ObjectPath } from "./resource";
import type { ApiFailure, ApiResult } from "./result";

/** Below the Lease's slack (15 s - 10 s), so that a write sent while leading cannot land in the next leader's time. */
export const WRITE_TIMEOUT_MS = 4_000;
const READ_TIMEOUT_MS = 30_000;
/** Socket silence on a watch after which the kernel probes the peer; ten probes, one a second, then the watch fails. */
const WATCH_KEEPALIVE_MS = 15_000;

/** https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches, which goes for what a write returns as well. */
const METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

export type JsonPatch = { op: "add" | "remove" | "replace" | "test"; path: string; value?: unknown }[];

export interface DeleteOptions {
  propagationPolicy?: "Background" | "Foreground" | "Orphan";
  preconditions?: { uid?: string; resourceVersion?: string };
  gracePeriodSeconds?: number;
}

/** A body that is JSON already. */
export class JsonText {
  constructor(readonly text: string) {}
}

export interface WriteOptions {
  /** What the API server sends back: the whole object, or no more than its metadata where the rest is known and long. */
  answer?: "object" | "metadata";
}

export interface ListPage<T> {
  metadata: { resourceVersion: string; continue?: string };
  items: T[];
}

export type Query = Record<string, string | number | boolean | undefined>;

/** The verbs, as an interface: tests put an in-memory API server in its place. */
export interface KubernetesApi {
  get<T>(path: ObjectPath): Promise<ApiResult<T>>;
  list<T>(path: ObjectPath, query?: Query): Promise<ApiResult<ListPage<T>>>;
  create<T>(path: ObjectPath, body: unknown): Promise<ApiResult<T>>;
  replace<T>(path: ObjectPath, body: unknown): Promise<ApiResult<T>>;
  /** Server-side apply with our field manager; takes over fields that others have set. */
  apply<T>(path: ObjectPath, body: unknown, options?: WriteOptions): Promise<ApiResult<T>>;
  mergePatch<T>(path: ObjectPath, body: unknown): Promise<ApiResult<T>>;
  jsonPatch<T>(path: ObjectPath, patch: JsonPatch): Promise<ApiResult<T>>;
  delete(path: ObjectPath, options?: DeleteOptions): Promise<ApiResult<unknown>>;
  /** Calls back with each line of a watch. Resolves when the server ends it or the signal stops it. */
  watch(path: ObjectPath, query: Query, onLine: (line: string) => void, signal: AbortSignal): Promise<ApiResult<void>>;
}

export interface ClientOptions {
  connection: Connection;
  metrics: EngineMetrics;
  /** Asked before each write; false means that this process may not write (any more). */
  mayWrite?: () => boolean;
  /** How long a write, or with readTimeoutMilliseconds a read, may take; for who cannot wait that long. */
  writeTimeoutMilliseconds?: number;
  readTimeoutMilliseconds?: number;
}

interface Call {
  method: string;
  path: string;
  body?: string;
  contentType?: string;
  accept?: string;
  timeoutMilliseconds: number;
}

export class KubernetesClient implements KubernetesApi {
  constructor(private readonly options: ClientOptions) {
    options.metrics.initialiseRequests(options.connection.server.host);
  }

  get<T>(path: ObjectPath): Promise<ApiResult<T>> {
    return this.read<T>(pathOf(path));
  }

  list<T>(path: ObjectPath, query: Query = {}): Promise<ApiResult<ListPage<T>>> {
    return this.read<ListPage<T>>(pathOf(path) + queryOf(query));
  }

  create<T>(path: ObjectPath, body: unknown): Promise<ApiResult<T>> {
    return this.write<T>("POST", pathOf(path) + queryOf({ fieldManager: FIELD_MANAGER }), body);
  }

  replace<T>(path: ObjectPath, body: unknown): Promise<ApiResult<T>> {
    return this.write<T>("PUT", pathOf(path) + queryOf({ fieldManager: FIELD_MANAGER }), body);
  }

  apply<T>(path: ObjectPath, body: unknown, { answer }: WriteOptions = {}): Promise<ApiResult<T>> {
    const query = queryOf({ fieldManager: FIELD_MANAGER, force: true, fieldValidation: "Strict" });
    const accept = answer === "metadata" ? METADATA_ONLY : undefined;
    // YAML is a superset of JSON, and this is the type that server-side apply has had since its beginning.
    return this.write<T>("PATCH", pathOf(path) + query, body, "application/apply-patch+yaml", accept);
  }

  mergePatch<T>(path: ObjectPath, body: unknown): Promise<ApiResult<T>> {
    const query = queryOf({ fieldManager: FIELD_MANAGER });
    return this.write<T>("PATCH", pathOf(path) + query, body, "application/merge-patch+json");
  }

  jsonPatch<T>(path: ObjectPath, patch: JsonPatch): Promise<ApiResult<T>> {
    const query = queryOf({ fieldManager: FIELD_MANAGER });
    return this.write<T>("PATCH", pathOf(path) + query, patch, "application/json-patch+json");
  }

  delete(path: ObjectPath, options: DeleteOptions = {}): Promise<ApiResult<unknown>> {
    return this.write("DELETE", pathOf(path), { kind: "DeleteOptions", apiVersion: "v1", ...options });
  }

  async watch(
    path: ObjectPath,
    query: Query,
    onLine: (line: string) => void,
    signal: AbortSignal,
  ): Promise<ApiResult<void>> {
    const opened = await this.open(
      { method: "GET", path: pathOf(path) + queryOf({ ...query, watch: true }), timeoutMilliseconds: READ_TIMEOUT_MS },
      signal,
    );
    if (!opened.ok) return opened;
    const response = opened.value;
    if (response.statusCode !== 200) return failureOf(response, await textOf(response));
    response.setTimeout(0);
    response.socket.setKeepAlive(true, WATCH_KEEPALIVE_MS);
    return new Promise((resolve) => {
      const lines = new LineSplitter(onLine);
      // Without an error: in the tick in which an answer is complete nobody listens to its socket, and the process would die of one.
      const stop = (): void => void response.destroy();
      if (signal.aborted) stop();
      signal.addEventListener("abort", stop, { once: true });
      response.on("data", (chunk: Buffer) => lines.push(chunk));
      response.on("end", () => resolve({ ok: true, value: undefined }));
      response.on("error", (error) => resolve(signal.aborted ? { ok: true, value: undefined } : noAnswer(error)));
      response.on("close", () => {
        signal.removeEventListener("abort", stop);
        resolve({ ok: true, value: undefined });
      });
    });
  }

  private read<T>(path: string): Promise<ApiResult<T>> {
    const timeoutMilliseconds = this.options.readTimeoutMilliseconds ?? READ_TIMEOUT_MS;
    return this.call<T>({ method: "GET", path, timeoutMilliseconds });
  }

  private write<T>(
    method: string,
    path: string,
    body: unknown,
    contentType = "application/json",
    accept?: string,
  ): Promise<ApiResult<T>> {
    return this.call<T>({
      method,
      path,
      body: body instanceof JsonText ? body.text : JSON.stringify(body),
      contentType,
      accept,
      timeoutMilliseconds: this.options.writeTimeoutMilliseconds ?? WRITE_TIMEOUT_MS,
    });
  }

  private async call<T>(call: Call): Promise<ApiResult<T>> {
    // Counted from the look at the fence, with the wait for a free connection and the whole answer in it.
    const signal = AbortSignal.timeout(call.timeoutMilliseconds);
    const opened = await this.open(call, signal);
    if (!opened.ok) return opened;
    const giveUp = (): void => void opened.value.destroy(lateness(call));
    signal.addEventListener("abort", giveUp);
    try {
      const text = await textOf(opened.value);
      const code = opened.value.statusCode ?? 0;
      if (code < 200 || code > 299) return failureOf(opened.value, text);
      return { ok: true, value: JSON.parse(text) as T };
    } catch (error) {
      return noAnswer(error);
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  /** Sends the request; resolves with the response's headers, the body still to come. */
  private async open(call: Call, signal: AbortSignal, retried = false): Promise<ApiResult<http.IncomingMessage>> {
    const connection = await this.options.connection.options().catch(noAnswer);
    if ("ok" in connection) return connection;
    const { server, agent, headers } = connection;
    if (call.method !== "GET" && this.options.mayWrite?.() === false) return FENCED;
    if (signal.aborted) return noAnswer(lateness(call));
    const transport = server.protocol === "http:" ? http : https;
    const socket = { isStale: false };
    let giveUp = (): void => undefined;
    const result = await new Promise<ApiResult<http.IncomingMessage>>((resolve) => {
      const request = transport.request({
        method: call.method,
        protocol: server.protocol,
        hostname: server.hostname.replace(/^\[|\]$/g, ""),
        port: server.port || undefined,
        path: (server.pathname === "/" ? "" : server.pathname) + call.path,
        agent,
        headers: {
          ...headers,
          Accept: call.accept ?? "application/json",
          "User-Agent": FIELD_MANAGER,
          ...(call.body === undefined
            ? {}
            : { "Content-Type": call.contentType, "Content-Length": Buffer.byteLength(call.body) }),
        },
      });
      request.setTimeout(call.timeoutMilliseconds, () => request.destroy(lateness(call)));
      // Not left to request's own signal: a request that waits for a free connection learns only from that connection that it has been
      // cancelled, and one whose answer has just ended hands the error to a socket that nobody listens to (Node 20).
      giveUp = () => {
        resolve(noAnswer(lateness(call)));
        request.destroy();
      };
      signal.addEventListener("abort", giveUp);
      request.on("response", (response) => resolve({ ok: true, value: response }));
      request.on("error", (error: NodeJS.ErrnoException) => {
        socket.isStale = request.reusedSocket && error.code === "ECONNRESET";
        resolve(noAnswer(error));
      });
      request.end(call.body);
    });
    signal.removeEventListener("abort", giveUp);
    // The server closed an idle connection in the moment in which we took it from the pool: it has not read the request.
    if (socket.isStale && !retried) return this.open(call, signal, true);
    const code = result.ok ? String(result.value.statusCode ?? 0) : "<error>";
    this.options.metrics.requests.inc({ code, method: call.method, host: server.host });
    if (result.ok && result.value.statusCode === 401) this.options.connection.expireCredentials();
    return result;
  }
}

const FENCED: ApiFailure = {
  ok: false,
  code: 0,
  reason: "Fenced",
  message: "this process does not hold the Lease and writes nothing",
};

function queryOf(query: Query): string {
  const parameters = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  if (parameters.length === 0) return "";
  return `?${parameters.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`).join("&")}`;
}

function lateness({ timeoutMilliseconds }: Call): Error {
  return new Error(`no answer within ${timeoutMilliseconds} ms`);
}

function noAnswer(error: unknown): ApiFailure {
  return { ok: false, code: 0, reason: "NoAnswer", message: error instanceof Error ? error.message : String(error) };
}

async function textOf(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

function failureOf(response: http.IncomingMessage, text: string): ApiFailure {
  const code = response.statusCode ?? 0;
  const retryAfter = Number(response.headers["retry-after"]);
  const retryAfterSeconds = Number.isFinite(retryAfter) && retryAfter > 0 ? retryAfter : undefined;
  try {
    const status = JSON.parse(text) as { reason?: string; message?: string };
    return { ok: false, code, reason: status.reason ?? "Unknown", message: status.message ?? text, retryAfterSeconds };
  } catch {
    return { ok: false, code, reason: "Unknown", message: text.slice(0, 512), retryAfterSeconds };
  }
}

/** Cuts a byte stream into lines without ever splitting a UTF-8 character. */
export class LineSplitter {
  private rest: Buffer[] = [];

  constructor(private readonly onLine: (line: string) => void) {}

  push(chunk: Buffer): void {
    let from = 0;
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, from)) {
      const line = Buffer.concat([...this.rest, chunk.subarray(from, at)]).toString("utf8");
      this.rest = [];
      from = at + 1;
      if (line !== "") this.onLine(line);
    }
    if (from < chunk.length) this.rest.push(chunk.subarray(from));
  }
}
