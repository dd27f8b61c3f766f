/**
 * A fake API server in memory: enough of Kubernetes' rules (resourceVersion, generation, finalizers, status subresource, watch) for the
 * reconcilers, and faults on demand. What only a real API server knows (schemas, defaulting, admission) it does not.
 */
import { isDeepStrictEqual } from "node:util";
import {
  JsonText,
  pathOf,
  type ApiFailure,
  type ApiResult,
  type DeleteOptions,
  type JsonPatch,
  type KubernetesApi,
  type ListPage,
  type ObjectPath,
  type Query,
  type WriteOptions,
} from "../../../capabilities/engine";

export interface FakeObject {
  apiVersion?: string;
  kind?: string;
  metadata: {
    name: string;
    namespace?: string;
    uid: string;
    resourceVersion: string;
    generation: number;
    creationTimestamp: string;
    deletionTimestamp?: string;
    finalizers?: string[];
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    [field: string]: unknown;
  };
  spec?: Record<string, unknown>;
  status?: Record<string, unknown>;
  [field: string]: unknown;
}

export interface Write {
  method: "create" | "replace" | "apply" | "mergePatch" | "jsonPatch" | "delete";
  path: string;
  body: unknown;
  /** Which client it came from. */
  by: string;
}

/** An event on its way to a watcher. */
export interface Delivery {
  watcher: object;
  /** Path of the object. */
  key: string;
  line: string;
}

/** "refuse": not done; "lose": done, but the answer does not arrive. */
export type Fault = { kind: "refuse"; code: number; reason: string } | { kind: "lose" };

interface Watcher {
  /** What it has been sent so far. */
  from: number;
  collection: string;
  query: Query;
  send: (line: string) => void;
  end: () => void;
}

export class FakeApiServer {
  readonly writes: Write[] = [];
  /** Asked before each write. */
  fault: (write: Write) => Fault | undefined = () => undefined;
  /** Asked before each get and list. */
  readFault: (path: string) => ApiFailure | undefined = () => undefined;
  /** Events go through this with the next flush(): what is left out is lost, what comes twice is sent twice. */
  chaos: ((pending: Delivery[]) => Delivery[]) | undefined;
  private pending: (Delivery & { watcher: Watcher })[] = [];
  /** While set, lists and watches show the past as of this version: a replica of the API server that lags behind. */
  private past: number | undefined;
  /** A connection that has died without a word: no watch gets an event. */
  mute = false;
  /** What a watcher gets instead of an event: nothing (dropped), several (duplicated), others (held back, reordered). */
  disturb: ((line: string, collection: string) => string[]) | undefined;
  private readonly objects = new Map<string, FakeObject>();
  private readonly log: { version: number; collection: string; type: string; object: FakeObject }[] = [];
  private readonly watchers = new Set<Watcher>();
  private version = 100;
  private compactedTo = 0;

  constructor(private readonly now: () => number = () => 0) {}

  /** What a process would use; several may be connected. */
  client(mayWrite: () => boolean = () => true, name = "client"): KubernetesApi {
    return new FakeClient(this, mayWrite, name);
  }

  /** Sends what chaos has held back. */
  flush(): void {
    const pending = this.pending.splice(0);
    const sent = (this.chaos?.(pending) ?? pending) as typeof pending;
    for (const { watcher, line } of sent) if (this.watchers.has(watcher)) watcher.send(line);
  }

  /** From now on new connections see the cluster as it was so many changes ago, until catchUp(). */
  lagBehind(changes: number): void {
    this.past = Math.max(100, this.version - changes);
    for (const watcher of [...this.watchers]) watcher.end();
  }

  catchUp(): void {
    this.past = undefined;
    for (const watcher of this.watchers) this.replay(watcher);
  }

  get(path: ObjectPath): FakeObject | undefined {
    return this.objects.get(keyOf(path));
  }

  all(path: ObjectPath): FakeObject[] {
    const prefix = `${pathOf({ ...path, name: undefined })}/`;
    const namespaced = new RegExp(`^/(api/v1|apis/[^/]+/[^/]+)/namespaces/[^/]+/${path.resource.plural}/`);
    return [...this.objects]
      .filter(([key]) => key.startsWith(prefix) || (path.namespace === undefined && namespaced.test(key)))
      .map(([, object]) => object);
  }

  /** Puts an object there as another client would; generation grows with the spec. */
  put(
    path: ObjectPath & { name: string },
    object: Partial<Omit<FakeObject, "metadata">> & { metadata?: object },
  ): FakeObject {
    const before = this.get(path);
    const { name, namespace } = path;
    return this.store(path, {
      ...before,
      ...object,
      metadata: {
        uid: `uid-${name}-${this.version}`,
        creationTimestamp: this.time(),
        finalizers: undefined,
        ...before?.metadata,
        ...object.metadata,
        name,
        namespace,
      } as FakeObject["metadata"],
    });
  }

  /** Deletes as another client would: marks it only if there are finalizers. */
  remove(path: ObjectPath): void {
    const object = this.get(path);
    if (object === undefined) return;
    if ((object.metadata.finalizers ?? []).length === 0) this.drop(path);
    else this.store(path, { ...object, metadata: { ...object.metadata, deletionTimestamp: this.time() } });
  }

  /** Ends all watches; those that ask for older versions get 410. */
  disconnect(options: { compact?: boolean } = {}): void {
    if (options.compact === true) this.compactedTo = this.version;
    for (const watcher of [...this.watchers]) watcher.end();
  }

  get watcherCount(): number {
    return this.watchers.size;
  }

  /** @internal */
  page(path: ObjectPath, query: Query): ApiResult<ListPage<FakeObject>> {
    const version = this.past ?? this.version;
    const items = (this.past === undefined ? this.all(path) : this.asOf(this.past, path))
      .filter((object) => matches(object, query))
      .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
    const start = Number(query["continue"] ?? 0);
    const end = start + Number(query["limit"] ?? 500);
    const metadata = { resourceVersion: String(version), continue: end < items.length ? String(end) : undefined };
    return { ok: true, value: structuredClone({ metadata, items: items.slice(start, end) }) };
  }

  /** @internal */
  follow(
    path: ObjectPath,
    query: Query,
    onLine: (line: string) => void,
    signal: AbortSignal,
  ): Promise<ApiResult<void>> {
    const from = Number(query["resourceVersion"]);
    if (from < this.compactedTo) {
      onLine(
        JSON.stringify({
          type: "ERROR",
          object: { code: 410, reason: "Expired", message: "too old resource version" },
        }),
      );
      return Promise.resolve({ ok: true, value: undefined });
    }
    return new Promise((resolve) => {
      const watcher: Watcher = {
        from,
        collection: pathOf({ ...path, name: undefined }),
        query,
        send: onLine,
        end: () => {
          this.watchers.delete(watcher);
          resolve({ ok: true, value: undefined });
        },
      };
      this.watchers.add(watcher);
      signal.addEventListener("abort", watcher.end, { once: true });
      if (this.past === undefined) this.replay(watcher);
    });
  }

  private replay(watcher: Watcher): void {
    for (const event of this.log) if (event.version > watcher.from) this.deliver(watcher, event);
  }

  /** What a list would have said at that version. */
  private asOf(version: number, path: ObjectPath): FakeObject[] {
    const objects = new Map<string, FakeObject>();
    for (const event of this.log) {
      if (event.version > version) break;
      if (event.type === "DELETED") objects.delete(event.collection);
      else objects.set(event.collection, event.object);
    }
    const collection = pathOf({ ...path, name: undefined });
    return [...objects].flatMap(([key, object]) => (inCollection(collection, key) ? [object] : []));
  }

  /** @internal */
  perform(write: Write, path: ObjectPath, act: () => ApiResult<FakeObject>): ApiResult<FakeObject> {
    const fault = this.fault(write);
    if (fault?.kind === "refuse") return failure(fault.code, fault.reason, "refused by the test");
    this.writes.push(write);
    const result = act();
    if (fault?.kind === "lose") return failure(0, "NoAnswer", "lost by the test");
    return structuredClone(result);
  }

  /** @internal */
  store(path: ObjectPath, object: FakeObject): FakeObject {
    const key = keyOf(path);
    const before = this.objects.get(key);
    if (before !== undefined && isDeepStrictEqual(before, object)) return before;
    const isSpecChange = before === undefined || !isDeepStrictEqual(before.spec, object.spec);
    const isDeletion = before?.metadata.deletionTimestamp !== object.metadata.deletionTimestamp;
    this.version += 1;
    const generation = (before?.metadata.generation ?? 0) + (isSpecChange || isDeletion ? 1 : 0);
    const stored = structuredClone({
      ...withData(object),
      metadata: { ...object.metadata, generation, resourceVersion: String(this.version) },
    });
    if (stored.metadata.deletionTimestamp !== undefined && (stored.metadata.finalizers ?? []).length === 0) {
      this.objects.set(key, stored);
      this.drop(path);
      return stored;
    }
    this.objects.set(key, stored);
    this.announce(before === undefined ? "ADDED" : "MODIFIED", path, stored);
    return stored;
  }

  /** @internal */
  drop(path: ObjectPath): void {
    const object = this.objects.get(keyOf(path));
    if (object === undefined) return;
    this.objects.delete(keyOf(path));
    this.version += 1;
    const last = { ...object, metadata: { ...object.metadata, resourceVersion: String(this.version) } };
    this.announce("DELETED", path, last);
  }

  /** @internal */
  time(): string {
    return new Date(this.now()).toISOString();
  }

  /** @internal */
  nextUid(name: string): string {
    return `uid-${name}-${this.version}`;
  }

  private announce(type: string, path: ObjectPath, object: FakeObject): void {
    const event = { version: this.version, collection: keyOf(path), type, object: structuredClone(object) };
    this.log.push(event);
    if (this.past !== undefined) return;
    for (const watcher of this.watchers) this.deliver(watcher, event);
  }

  private deliver(
    watcher: Watcher,
    event: { version: number; collection: string; type: string; object: FakeObject },
  ): void {
    watcher.from = event.version;
    if (!inCollection(watcher.collection, event.collection)) return;
    const isSelected = matches(event.object, watcher.query);
    const type = isSelected ? event.type : "DELETED";
    if (this.mute) return;
    const line = JSON.stringify({ type, object: event.object });
    if (this.chaos !== undefined) {
      this.pending.push({ watcher, key: event.collection, line });
      return;
    }
    const lines = this.disturb === undefined ? [line] : this.disturb(line, watcher.collection);
    setImmediate(() => {
      for (const each of lines) if (this.watchers.has(watcher)) watcher.send(each);
    });
  }
}

/** Whether the object with this path is in the collection with that one, which may be of all Namespaces. */
function inCollection(collection: string, key: string): boolean {
  const plural = collection.split("/").at(-1)!;
  const isCluster = !collection.includes("/namespaces/") || plural === "namespaces";
  const group = collection
    .split("/")
    .slice(0, collection.startsWith("/api/") ? 3 : 4)
    .join("/");
  return isCluster ? key.startsWith(`${group}/`) && key.split("/").at(-2) === plural : key.startsWith(`${collection}/`);
}

class FakeClient implements KubernetesApi {
  constructor(
    private readonly server: FakeApiServer,
    private readonly mayWrite: () => boolean,
    private readonly name: string,
  ) {}

  async get<T>(path: ObjectPath): Promise<ApiResult<T>> {
    await turn();
    const fault = this.server.readFault(pathOf(path));
    if (fault !== undefined) return fault;
    const object = this.server.get(path);
    return object === undefined ? missing(path) : answer<T>({ ok: true, value: structuredClone(object) });
  }

  async list<T>(path: ObjectPath, query: Query = {}): Promise<ApiResult<ListPage<T>>> {
    await turn();
    const fault = this.server.readFault(pathOf(path));
    if (fault !== undefined) return fault;
    return this.server.page(path, query) as unknown as ApiResult<ListPage<T>>;
  }

  create<T>(path: ObjectPath, body: unknown): Promise<ApiResult<T>> {
    const { metadata } = body as FakeObject;
    const target = { ...path, name: metadata.name };
    return this.write("create", target, body, () => {
      if (this.server.get(target) !== undefined) return failure(409, "AlreadyExists", `${metadata.name} exists`);
      return { ok: true, value: this.store(target, body as FakeObject) };
    });
  }

  replace<T>(path: ObjectPath, body: unknown): Promise<ApiResult<T>> {
    return this.write("replace", path, body, () => {
      const before = this.server.get(path);
      if (before === undefined) return missing(path);
      const { resourceVersion } = (body as FakeObject).metadata;
      if (resourceVersion !== before.metadata.resourceVersion) return failure(409, "Conflict", "modified");
      return { ok: true, value: this.store(path, { ...(body as FakeObject), status: before.status }) };
    });
  }

  apply<T>(path: ObjectPath, text: unknown, { answer }: WriteOptions = {}): Promise<ApiResult<T>> {
    const body: unknown = text instanceof JsonText ? JSON.parse(text.text) : text;
    return this.write("apply", path, body, () => {
      const before = this.server.get(path);
      const { resourceVersion } = (body as { metadata: { resourceVersion?: string } }).metadata;
      const isStale = resourceVersion !== undefined && resourceVersion !== before?.metadata.resourceVersion;
      if (isStale) return failure(409, "Conflict", "modified");
      const stored = this.store(path, { ...(body as FakeObject), status: before?.status });
      if (answer !== "metadata") return { ok: true, value: stored };
      return { ok: true, value: { kind: "PartialObjectMetadata", metadata: stored.metadata } };
    });
  }

  mergePatch<T>(path: ObjectPath, body: unknown): Promise<ApiResult<T>> {
    return this.write("mergePatch", path, body, () => {
      const before = this.server.get(path);
      if (before === undefined) return missing(path);
      const patched = merge(before, body) as FakeObject;
      const isStatus = path.subresource === "status";
      const after: FakeObject = isStatus
        ? { ...before, status: patched.status }
        : { ...patched, status: before.status };
      return { ok: true, value: this.store(path, after) };
    });
  }

  jsonPatch<T>(path: ObjectPath, patch: JsonPatch): Promise<ApiResult<T>> {
    return this.write("jsonPatch", path, patch, () => {
      const before = this.server.get(path);
      if (before === undefined) return missing(path);
      const after = structuredClone(before);
      for (const step of patch)
        if (!applyStep(after, step)) return failure(422, "Invalid", `test failed: ${step.path}`);
      return { ok: true, value: this.store(path, after) };
    });
  }

  delete(path: ObjectPath, options: DeleteOptions = {}): Promise<ApiResult<unknown>> {
    return this.write("delete", path, options, () => {
      const before = this.server.get(path);
      if (before === undefined) return missing(path);
      const { uid, resourceVersion } = options.preconditions ?? {};
      const isOther = uid !== undefined && uid !== before.metadata.uid;
      const isStale = resourceVersion !== undefined && resourceVersion !== before.metadata.resourceVersion;
      if (isOther || isStale) return failure(409, "Conflict", "precondition failed");
      this.server.remove(path);
      return { ok: true, value: before };
    });
  }

  async watch(
    path: ObjectPath,
    query: Query,
    onLine: (line: string) => void,
    signal: AbortSignal,
  ): Promise<ApiResult<void>> {
    await turn();
    return this.server.follow(path, query, onLine, signal);
  }

  private async write<T>(
    method: Write["method"],
    path: ObjectPath,
    body: unknown,
    act: () => ApiResult<FakeObject>,
  ): Promise<ApiResult<T>> {
    await turn();
    if (!this.mayWrite()) return failure(0, "Fenced", "not leading");
    const result = this.server.perform({ method, path: pathOf(path), body, by: this.name }, path, act);
    await turn();
    return answer<T>(result);
  }

  private store(path: ObjectPath, body: FakeObject): FakeObject {
    const before = this.server.get(path);
    const name = path.name ?? body.metadata.name;
    const uid = before?.metadata.uid ?? this.server.nextUid(name);
    const creationTimestamp = before?.metadata.creationTimestamp ?? this.server.time();
    const metadata = { ...before?.metadata, ...body.metadata, uid, creationTimestamp, name, namespace: path.namespace };
    return this.server.store(path, { ...body, metadata });
  }
}

/** A Secret's stringData becomes data. */
function withData(object: FakeObject): FakeObject {
  const { stringData, ...rest } = object;
  if (typeof stringData !== "object" || stringData === null) return object;
  const encoded = Object.entries(stringData).map(([key, value]) => [
    key,
    Buffer.from(String(value)).toString("base64"),
  ]);
  return { ...rest, metadata: object.metadata, data: Object.fromEntries(encoded) as Record<string, string> };
}

function keyOf(path: ObjectPath): string {
  return pathOf({ ...path, subresource: undefined });
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function answer<T>(result: ApiResult<FakeObject>): ApiResult<T> {
  return result as unknown as ApiResult<T>;
}

function failure(code: number, reason: string, message: string): ApiFailure {
  return { ok: false, code, reason, message };
}

function missing(path: ObjectPath): ApiFailure {
  return failure(404, "NotFound", `${path.resource.plural} "${path.name ?? ""}" not found`);
}

/** labelSelector with equalities, and the fieldSelectors that the controller uses. */
function matches(object: FakeObject, query: Query): boolean {
  const labels = String(query["labelSelector"] ?? "")
    .split(",")
    .filter(Boolean);
  const isLabelled = labels.every((term) => {
    const [key = "", value] = term.split("=");
    return object.metadata.labels?.[key] === value;
  });
  const fields = String(query["fieldSelector"] ?? "")
    .split(",")
    .filter(Boolean);
  return (
    isLabelled &&
    fields.every((term) => {
      const [, field = "", operator, value = ""] = /^([^!=]+)(!?=)(.*)$/.exec(term) ?? [];
      const [part = "", name = ""] = field.split(".");
      const section = object[part] as Record<string, unknown> | undefined;
      return ((section?.[name] ?? "") === value) === (operator === "=");
    })
  );
}

/** RFC 7386. */
function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> =
    typeof target === "object" && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(result, key);
    else if (value !== undefined) result[key] = merge(result[key], value);
  }
  return result;
}

/** The part of RFC 6902 that is used; false if a test fails. */
function applyStep(root: unknown, { op, path, value }: JsonPatch[number]): boolean {
  const segments = path
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  const last = segments.pop()!;
  let parent = root as Record<string, unknown>;
  for (const segment of segments) {
    const next = parent[segment];
    if (typeof next !== "object" || next === null) return false;
    parent = next as Record<string, unknown>;
  }
  if (op === "test") return isDeepStrictEqual(parent[last], value);
  if (Array.isArray(parent)) {
    if (op === "remove") parent.splice(Number(last), 1);
    else if (last === "-") parent.push(value);
    else parent[Number(last)] = value;
  } else if (op === "remove") Reflect.deleteProperty(parent, last);
  else parent[last] = value;
  return true;
}
