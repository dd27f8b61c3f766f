/** Objects, versions, pages and watches of the stand-in API server: fast with 100,000 objects, and no more than the controller asks for. */

export interface Stored {
  apiVersion?: string;
  kind?: string;
  metadata: {
    name: string;
    uid?: string;
    namespace?: string;
    resourceVersion?: string;
    generation?: number;
    creationTimestamp?: string;
    [field: string]: unknown;
  };
  spec?: unknown;
  status?: unknown;
  [field: string]: unknown;
}

interface Place {
  /** URL path without the Namespace: one collection for all of them. */
  collection: string;
  namespace?: string;
  name?: string;
  subresource?: string;
}

interface Watcher {
  place: Place;
  /** The programmers' Pods and Jobs are asked for by label; nothing else here carries it. */
  isLabelled: boolean;
  send: (line: string) => void;
}

export class Store {
  private readonly collections = new Map<string, Map<string, Stored>>();
  private readonly watchers = new Set<Watcher>();
  /** What a watch that begins late has to be told. */
  private readonly recent: { version: number; collection: string; namespace?: string; line: string }[] = [];
  private readonly snapshots = new Map<string, { objects: Stored[]; version: number }>();
  private version = 1_000_000;

  placeOf(pathname: string): Place {
    const parts = pathname.split("/").slice(1).map(decodeURIComponent);
    const root = parts.splice(0, parts[0] === "api" ? 2 : 3);
    const namespace = parts[0] === "namespaces" && parts.length > 2 ? parts.splice(0, 2)[1] : undefined;
    const [plural, name, subresource] = parts;
    return { collection: `/${[...root, plural].join("/")}`, namespace, name, subresource };
  }

  get(collection: string, namespace: string | undefined, name: string): Stored | undefined {
    return this.collections.get(collection)?.get(keyOf(namespace, name));
  }

  put(collection: string, object: Stored): Stored {
    const { namespace, name } = object.metadata;
    const before = this.get(collection, namespace, name);
    const isSpecChange = before === undefined || JSON.stringify(before.spec) !== JSON.stringify(object.spec);
    this.version += 1;
    const stored: Stored = {
      ...object,
      metadata: {
        uid: `uid-${this.version}`,
        creationTimestamp: new Date().toISOString(),
        ...object.metadata,
        generation: (before?.metadata.generation ?? 0) + (isSpecChange ? 1 : 0),
        resourceVersion: String(this.version),
      },
    };
    let objects = this.collections.get(collection);
    if (objects === undefined) this.collections.set(collection, (objects = new Map<string, Stored>()));
    objects.set(keyOf(namespace, name), stored);
    this.announce(before === undefined ? "ADDED" : "MODIFIED", collection, stored);
    return stored;
  }

  remove(collection: string, namespace: string | undefined, name: string): Stored | undefined {
    const before = this.get(collection, namespace, name);
    if (before === undefined) return undefined;
    this.collections.get(collection)!.delete(keyOf(namespace, name));
    this.version += 1;
    const last = { ...before, metadata: { ...before.metadata, resourceVersion: String(this.version) } };
    this.announce("DELETED", collection, last);
    return before;
  }

  page({ collection, namespace }: Place, query: URLSearchParams): unknown {
    const isLabelled = query.has("labelSelector") && collection !== JOBS;
    const token = query.get("continue");
    const [id, start] =
      token === null ? [`${collection}@${this.version}${isLabelled ? "-labelled" : ""}`, 0] : splitToken(token);
    let snapshot = this.snapshots.get(id);
    if (snapshot === undefined) {
      const all = isLabelled ? [] : [...(this.collections.get(collection)?.values() ?? [])];
      const objects = namespace === undefined ? all : all.filter(({ metadata }) => metadata.namespace === namespace);
      snapshot = { objects, version: this.version };
    }
    const end = start + Number(query.get("limit") ?? 500);
    const isLast = end >= snapshot.objects.length;
    if (isLast) this.snapshots.delete(id);
    else this.snapshots.set(id, snapshot);
    const metadata = { resourceVersion: String(snapshot.version), continue: isLast ? undefined : `${id}#${end}` };
    return { kind: "List", metadata, items: snapshot.objects.slice(start, end) };
  }

  watch(place: Place, query: URLSearchParams, send: (line: string) => void): () => void {
    const isLabelled = query.has("labelSelector") && place.collection !== JOBS;
    const watcher = { place, isLabelled, send };
    const from = Number(query.get("resourceVersion"));
    for (const event of this.recent) if (event.version > from && isFor(watcher, event)) send(event.line);
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  /** The writes of the controller: create, replace, server-side apply of a whole object, merge patch, JSON patch, delete. */
  perform(method: string, place: Place, body: Stored | undefined, type: string): { code: number; object: Stored } {
    const { collection, namespace } = place;
    const name = place.name ?? body?.metadata.name ?? "";
    const before = this.get(collection, namespace, name);
    const done = (object: Stored): { code: number; object: Stored } => ({ code: 200, object });
    const put = (object: Stored): { code: number; object: Stored } =>
      done(this.put(collection, { ...object, metadata: { ...object.metadata, name, namespace } }));
    if (method === "POST") return before === undefined ? put(body!) : failure(409, "AlreadyExists");
    if (method === "PATCH" && type.includes("apply"))
      return put({ ...body!, status: before?.status, metadata: { ...before?.metadata, ...body!.metadata } });
    if (before === undefined) return failure(404, "NotFound");
    if (method === "GET") return done(before);
    if (method === "PUT") return put({ ...body!, metadata: { ...before.metadata, ...body!.metadata } });
    if (method === "DELETE") return done(this.remove(collection, namespace, name)!);
    if (type.includes("merge"))
      return put({ ...before, status: { ...(before.status as object), ...(body!.status as object) } });
    // The only JSON patches are the finalizer's.
    const finalizers = JSON.stringify(body).includes('"remove"') ? [] : ["ovs-traffic-control.dev/untap"];
    if (finalizers.length === 0) return done(this.remove(collection, namespace, name)!);
    return put({ ...before, metadata: { ...before.metadata, finalizers } });
  }

  private announce(type: string, collection: string, object: Stored): void {
    if (this.watchers.size === 0) return;
    const line = `${JSON.stringify({ type, object })}\n`;
    const event = { version: this.version, collection, namespace: object.metadata.namespace, line };
    this.recent.push(event);
    if (this.recent.length > 20_000) this.recent.splice(0, 10_000);
    for (const watcher of this.watchers) if (isFor(watcher, event)) watcher.send(line);
  }
}

const JOBS = "/apis/batch/v1/jobs";

function isFor({ place, isLabelled }: Watcher, event: { collection: string; namespace?: string }): boolean {
  if (isLabelled || place.collection !== event.collection) return false;
  return place.namespace === undefined || place.namespace === event.namespace;
}

function splitToken(token: string): [string, number] {
  const [id = "", start] = token.split("#");
  return [id, Number(start)];
}

function keyOf(namespace: string | undefined, name: string): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

function failure(code: number, reason: string): { code: number; object: Stored } {
  return { code, object: { kind: "Status", reason, message: reason, metadata: { name: "" } } };
}
