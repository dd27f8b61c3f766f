/**
 * A local replica of one kind of object: paged list, then a watch that is resumed where it broke off. Keeps a projection of each object
 * only, so that 100,000 Pods fit into 100 MB. The only source from which reconcilers read.
 */
import type { KubernetesApi, Query } from "./client";
import { backoffDelay, type BackoffOptions } from "./backoff";
import { sleep, type Clock } from "./clock";
import type { Logger } from "./log";
import type { ObjectPath } from "./resource";
import type { ApiFailure } from "./result";

const PAGE_SIZE = 500;
/** How many deletions are remembered; a write's answer arrives at most a few seconds after the watch event that undid it. */
const TOMBSTONES = 10_000;
const RETRY: BackoffOptions = { baseMilliseconds: 100, maximumMilliseconds: 15_000, jitter: 0.3 };

/** What the informer itself needs of an object as the API server sends it. */
export interface RawObject {
  metadata: { name: string; namespace?: string; resourceVersion: string; uid: string };
}

/** Called with the object before and after; one of the two is undefined when it came or went. */
export type ChangeHandler<T> = (before: T | undefined, after: T | undefined, key: string) => void;

export interface InformerOptions<Raw extends RawObject, T> {
  api: KubernetesApi;
  path: ObjectPath;
  query?: Query;
  /** The part that is kept. Must be plain data: handlers are only called if its JSON has changed. */
  project: (raw: Raw) => T;
  /** Called for each change of the projection, in order, synchronously. Must not throw or take long. */
  onChange: ChangeHandler<T>;
  /** What counts as a change; everything in the projection by default. */
  significant?: (object: T) => unknown;
  clock: Clock;
  log: Logger;
}

interface Entry<T> {
  object: T;
  version: bigint;
  uid: string;
}

export class Informer<Raw extends RawObject, T> {
  private readonly entries = new Map<string, Entry<T>>();
  /** Versions at which objects have gone, so that the late answer of an earlier write does not bring them back. */
  private readonly tombstones = new Map<string, bigint>();
  private readonly stopping = new AbortController();
  private resourceVersion: string | undefined;
  private failures = 0;
  private markSynced: () => void = () => undefined;
  private running: Promise<void> | undefined;
  /** Resolves after the first complete list. */
  readonly synced = new Promise<void>((resolve) => (this.markSynced = resolve));
  hasSynced = false;

  constructor(private readonly options: InformerOptions<Raw, T>) {}

  start(): void {
    this.running ??= this.run();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  /** By `namespace/name`, or `name` if cluster-scoped. */
  get(key: string): T | undefined {
    return this.entries.get(key)?.object;
  }

  *values(): IterableIterator<T> {
    for (const { object } of this.entries.values()) yield object;
  }

  keys(): IterableIterator<string> {
    return this.entries.keys();
  }

  get size(): number {
    return this.entries.size;
  }

  /**
   * Takes over what a write has returned, so that the next reconcile sees its own write although the watch has not delivered it yet.
   * Older versions, which the watch may still deliver, are ignored from then on.
   */
  admit(raw: Raw): void {
    this.put(raw);
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!this.isStopped()) {
      const failure = this.resourceVersion === undefined ? await this.relist() : await this.watch(this.resourceVersion);
      if (failure === undefined || this.isStopped()) continue;
      if (failure.code === 410) {
        this.resourceVersion = undefined;
        continue;
      }
      this.failures += 1;
      const delay = Math.max(backoffDelay(this.failures, RETRY), (failure.retryAfterSeconds ?? 0) * 1000);
      const level = this.failures > 3 ? "warn" : "info";
      this.options.log[level](
        { kind: this.options.path.resource.plural, failure, retryInMilliseconds: delay },
        "list or watch failed",
      );
      await sleep(this.options.clock, delay, signal);
    }
  }

  private isStopped(): boolean {
    return this.stopping.signal.aborted;
  }

  private async relist(): Promise<ApiFailure | undefined> {
    const seen = new Set<string>();
    let token: string | undefined;
    do {
      const page = await this.options.api.list<Raw>(this.options.path, {
        ...this.options.query,
        limit: PAGE_SIZE,
        continue: token,
      });
      if (!page.ok) return page;
      for (const raw of page.value.items) {
        seen.add(keyOf(raw));
        this.put(raw);
      }
      token = page.value.metadata.continue;
      this.resourceVersion = page.value.metadata.resourceVersion;
      // A page is handled in one go; other work gets its turn between two.
      await new Promise((resolve) => setImmediate(resolve));
    } while (token !== undefined && token !== "");
    const listed = BigInt(this.resourceVersion);
    for (const [key, { version }] of [...this.entries]) {
      // What is newer than the list has come through admit(); the watch will tell about it.
      if (!seen.has(key) && version <= listed) this.remove(key, listed);
    }
    this.failures = 0;
    this.hasSynced = true;
    this.markSynced();
    return undefined;
  }

  private async watch(resourceVersion: string): Promise<ApiFailure | undefined> {
    let failure: ApiFailure | undefined;
    const attempt = new AbortController();
    const signal = AbortSignal.any([attempt.signal, this.stopping.signal]);
    const result = await this.options.api.watch(
      this.options.path,
      {
        ...this.options.query,
        resourceVersion,
        allowWatchBookmarks: true,
        timeoutSeconds: 300 + Math.floor(Math.random() * 300),
      },
      (line) => {
        if (failure !== undefined) return;
        failure = this.handle(JSON.parse(line) as WatchEvent<Raw>);
        if (failure !== undefined) attempt.abort();
      },
      signal,
    );
    return failure ?? (result.ok ? undefined : result);
  }

  private handle(event: WatchEvent<Raw>): ApiFailure | undefined {
    if (event.type === "ERROR") {
      const { code = 0, reason = "Unknown", message = "" } = event.object;
      return { ok: false, code, reason, message };
    }
    this.failures = 0;
    this.resourceVersion = event.object.metadata.resourceVersion;
    if (event.type === "DELETED") {
      const { uid, resourceVersion } = event.object.metadata;
      this.remove(keyOf(event.object), BigInt(resourceVersion), uid);
    }
    if (event.type === "ADDED" || event.type === "MODIFIED") this.put(event.object);
    return undefined;
  }

  private put(raw: Raw): void {
    const key = keyOf(raw);
    const before = this.entries.get(key);
    const version = BigInt(raw.metadata.resourceVersion);
    if (before !== undefined && before.version >= version) return;
    if ((this.tombstones.get(key) ?? -1n) >= version) return;
    const object = this.options.project(raw);
    const { uid } = raw.metadata;
    this.entries.set(key, { object, version, uid });
    const isSame = before?.uid === uid && this.significance(before.object) === this.significance(object);
    if (!isSame) this.options.onChange(before?.object, object, key);
  }

  /** Not kept per object: events are rarer than objects. */
  private significance(object: T): string {
    return JSON.stringify(this.options.significant?.(object) ?? object);
  }

  private remove(key: string, version: bigint, uid?: string): void {
    const before = this.entries.get(key);
    // A late DELETED of an object that has been made anew under the same name since, as a write of ours has told.
    if (before !== undefined && uid !== undefined && uid !== before.uid) return;
    this.tombstones.delete(key);
    this.tombstones.set(key, version);
    const [oldest] = this.tombstones.keys();
    if (this.tombstones.size > TOMBSTONES && oldest !== undefined) this.tombstones.delete(oldest);
    if (before === undefined) return;
    this.entries.delete(key);
    this.options.onChange(before.object, undefined, key);
  }
}

type WatchEvent<Raw> =
  | { type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK"; object: Raw }
  | { type: "ERROR"; object: { code?: number; reason?: string; message?: string } };

function keyOf(raw: RawObject): string {
  const { namespace, name } = raw.metadata;
  return namespace === undefined || namespace === "" ? name : `${namespace}/${name}`;
}
