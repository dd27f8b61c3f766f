/**
 * A local replica of one kind of object: paged list, then a watch that is resumed where it broke off, and now and then a new list, in
 * case an event was lost on the way. Keeps a projection of each object only, so that 100,000 Pods fit into 100 MB. The only source from
 * which reconcilers read.
 */
import type { KubernetesApi, Query } from "./client";
import { backoffDelay, type BackoffOptions } from "./backoff";
import { sleep, type Clock } from "./clock";
import type { Logger } from "./log";
import type { ObjectPath } from "./resource";
import type { ApiFailure } from "./result";
import { Turns } from "./turn";

/** client-go's. A page of large Pods is parsed in 20 ms; all of them at once would stop the event loop for seconds. */
const PAGE_SIZE = 500;
/** A list of everything, in case that the watch has lost an event: client-go trusts its watch for ever, and then nobody notices. */
const RELIST_MS = 2 * 3_600_000;
/** Two watches in a row that end sooner than this without a word are a failure, or a broken server would be asked in a tight loop. */
const SHORT_WATCH_MS = 1_000;
/** What a server may take longer than it was told to end a watch, before we end it. */
const WATCH_GRACE_MS = 30_000;
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
  /** The same as a comparison, for what is long. */
  isSame?: (before: T, after: T) => boolean;
  /** How long the watch is believed before everything is listed anew; two hours if absent, ±20 %. */
  relistMilliseconds?: number;
  clock: Clock;
  log: Logger;
}

interface Entry<T> {
  object: T;
  version: bigint;
  uid: string;
  /** Number of the last list in which it was. */
  list: number;
  /** Put together from a write and what was known before (amend): what the API server says of the same version is more. */
  isAmended?: boolean;
}

export class Informer<Raw extends RawObject, T> {
  private readonly entries = new Map<string, Entry<T>>();
  /** Versions at which objects have gone, so that the late answer of an earlier write does not bring them back. */
  private readonly tombstones = new Map<string, bigint>();
  private readonly stopping = new AbortController();
  /** From where the watch goes on; undefined: everything has to be listed first. */
  private resourceVersion: string | undefined;
  private lists = 0;
  private relistAt = Infinity;
  private failures = 0;
  private lastWatchWasShort = false;
  private markSynced: () => void = () => undefined;
  private running: Promise<void> | undefined;
  /** Resolves after the first complete list. */
  readonly synced = new Promise<void>((resolve) => (this.markSynced = resolve));
  hasSynced = false;

  private readonly turns: Turns;

  constructor(private readonly options: InformerOptions<Raw, T>) {
    this.turns = new Turns(options.clock);
  }

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

  /**
   * The same for a write whose answer does not say everything: `object` makes the rest from what was known. The watch, which delivers
   * this version whole, has the last word.
   */
  amend(written: RawObject, object: (known: T | undefined) => T): void {
    const known = this.entries.get(keyOf(written));
    this.enter(written, () => object(known?.uid === written.metadata.uid ? known.object : undefined), true);
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!this.isStopped()) {
      const isList = this.resourceVersion === undefined;
      const failure = this.resourceVersion === undefined ? await this.relist() : await this.watch(this.resourceVersion);
      if (this.isStopped()) return;
      if (this.options.clock.monotonic() >= this.relistAt) this.resourceVersion = undefined;
      if (failure === undefined) continue;
      if (failure.code === 410) {
        this.resourceVersion = undefined;
        // What the watch asks for is too old: a list helps. A list whose pages expire is another matter.
        if (!isList) continue;
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

  /** Nothing is taken for gone, and no watch begins, before the last page is there. */
  private async relist(): Promise<ApiFailure | undefined> {
    this.lists += 1;
    let token: string | undefined;
    let resourceVersion: string;
    do {
      const page = await this.options.api.list<Raw>(this.options.path, {
        ...this.options.query,
        limit: PAGE_SIZE,
        continue: token,
      });
      if (!page.ok) return page;
      for (const raw of page.value.items) {
        this.put(raw);
        const entry = this.entries.get(keyOf(raw));
        if (entry !== undefined) entry.list = this.lists;
        const over = this.turns.over();
        if (over !== undefined) await over;
      }
      token = page.value.metadata.continue;
      resourceVersion = page.value.metadata.resourceVersion;
      // A page is parsed in one go; other work gets its turn between two.
      await new Promise((resolve) => setImmediate(resolve));
      if (this.isStopped()) return undefined;
    } while (token !== undefined && token !== "");
    const listed = BigInt(resourceVersion);
    for (const [key, { version, list }] of this.entries) {
      // What is newer than the list has come through admit(); the watch will tell about it.
      if (list !== this.lists && version <= listed) this.remove(key, listed);
    }
    this.resourceVersion = resourceVersion;
    this.relistAt = this.options.clock.monotonic() + (this.options.relistMilliseconds ?? RELIST_MS) * jitter();
    this.failures = 0;
    this.hasSynced = true;
    this.markSynced();
    return undefined;
  }

  private async watch(resourceVersion: string): Promise<ApiFailure | undefined> {
    const { api, clock, path, query } = this.options;
    let failure: ApiFailure | undefined;
    let events = 0;
    const attempt = new AbortController();
    const started = clock.monotonic();
    const timeoutSeconds = 300 + Math.floor(Math.random() * 300);
    const longest = Math.min(timeoutSeconds * 1000 + WATCH_GRACE_MS, this.relistAt - started);
    const timer = clock.after(Math.max(0, longest), () => attempt.abort());
    const result = await api.watch(
      path,
      { ...query, resourceVersion, allowWatchBookmarks: true, timeoutSeconds },
      (line) => {
        if (failure !== undefined) return;
        events += 1;
        failure = this.handle(JSON.parse(line) as WatchEvent<Raw>);
        if (failure !== undefined) attempt.abort();
      },
      AbortSignal.any([attempt.signal, this.stopping.signal]),
    );
    timer.cancel();
    if (failure !== undefined) return failure;
    if (!result.ok) return result;
    const isShort = events === 0 && !attempt.signal.aborted && clock.monotonic() - started < SHORT_WATCH_MS;
    const wasShort = this.lastWatchWasShort;
    this.lastWatchWasShort = isShort;
    return isShort && wasShort ? ENDED_AT_ONCE : undefined;
  }

  private handle(event: WatchEvent<Raw>): ApiFailure | undefined {
    if (event.type === "ERROR") {
      const { code = 0, reason = "Unknown", message = "" } = event.object;
      return { ok: false, code, reason, message };
    }
    this.failures = 0;
    const { resourceVersion: at } = event.object.metadata;
    // Never backwards: an event that comes late must not have the same ones sent again.
    if (this.resourceVersion === undefined || BigInt(at) > BigInt(this.resourceVersion)) this.resourceVersion = at;
    if (event.type === "DELETED") {
      const { uid, resourceVersion } = event.object.metadata;
      this.remove(keyOf(event.object), BigInt(resourceVersion), uid);
    }
    if (event.type === "ADDED" || event.type === "MODIFIED") this.put(event.object);
    return undefined;
  }

  private put(raw: Raw): void {
    this.enter(raw, () => this.options.project(raw), false);
  }

  private enter(raw: RawObject, project: () => T, isAmended: boolean): void {
    const key = keyOf(raw);
    const before = this.entries.get(key);
    const version = BigInt(raw.metadata.resourceVersion);
    const isKnown =
      before !== undefined && (before.isAmended === true ? before.version > version : before.version >= version);
    if (isKnown || (this.tombstones.get(key) ?? -1n) >= version) return;
    const object = project();
    const { uid } = raw.metadata;
    this.entries.set(key, { object, version, uid, list: before?.list ?? 0, isAmended });
    if (before?.uid !== uid || !this.isSame(before.object, object)) this.options.onChange(before?.object, object, key);
  }

  /** Not kept per object: events are rarer than objects. */
  private isSame(before: T, after: T): boolean {
    const { isSame, significant = (object: T): unknown => object } = this.options;
    if (isSame !== undefined) return isSame(before, after);
    return JSON.stringify(significant(before)) === JSON.stringify(significant(after));
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

const ENDED_AT_ONCE: ApiFailure = {
  ok: false,
  code: 0,
  reason: "NoAnswer",
  message: "the watch ended at once and without an event",
};

/** ±20 %, so that the replicas of a process, and the processes, do not list at the same moment. */
function jitter(): number {
  return 0.8 + Math.random() * 0.4;
}

type WatchEvent<Raw> =
  | { type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK"; object: Raw }
  | { type: "ERROR"; object: { code?: number; reason?: string; message?: string } };

function keyOf(raw: RawObject): string {
  const { namespace, name } = raw.metadata;
  return namespace === undefined || namespace === "" ? name : `${namespace}/${name}`;
}
