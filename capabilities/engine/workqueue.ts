/**
 * A work queue of keys with client-go's rules: a key is in it at most once; a key that is added while it is being processed is
 * processed once more afterwards, never at the same time. Failed keys come back with exponential back-off, and all of them together
 * no faster than the API server likes. Urgent keys overtake, as in controller-runtime's priority queue.
 */
import { backoffDelay, type BackoffOptions } from "./backoff";
import { TokenBucket } from "./token-bucket";
import type { Clock, Timer } from "./clock";
import type { EngineMetrics } from "./metrics";

const RETRY: BackoffOptions = { baseMilliseconds: 10, maximumMilliseconds: 60_000, jitter: 0.2 };

/** client-go's overall limit for failed keys. */
const RETRIES_AT_ONCE = 100;
const RETRIES_PER_SECOND = 10;

/** From the first to be taken to the last: somebody waits for a deletion; nobody waits for what a restart looks at again. */
export const PRIORITIES = ["urgent", "normal", "background"] as const;
export type Priority = (typeof PRIORITIES)[number];

export interface WorkQueueOptions {
  name: string;
  clock: Clock;
  metrics: EngineMetrics;
  retry?: BackoffOptions;
}

export class WorkQueue {
  /** Keys that wait to be taken, in order, per priority. */
  private readonly waiting = { urgent: new Set<string>(), normal: new Set<string>(), background: new Set<string>() };
  /** Keys that need processing: waiting ones, and those that were added while they were being processed. */
  private readonly dirty = new Map<string, { since: number; priority: Priority }>();
  private readonly processing = new Map<string, number>();
  private readonly failures = new Map<string, number>();
  private readonly timers = new Map<string, { timer: Timer; due: number }>();
  private readonly retries: TokenBucket;
  private readonly takers: ((key: string | undefined) => void)[] = [];
  private stopped = false;

  constructor(private readonly options: WorkQueueOptions) {
    this.retries = new TokenBucket(options.clock, { burst: RETRIES_AT_ONCE, perSecond: RETRIES_PER_SECOND });
  }

  get length(): number {
    return PRIORITIES.reduce((sum, priority) => sum + this.waiting[priority].size, 0);
  }

  /** A key that waits already is only moved forward. */
  add(key: string, priority: Priority = "normal"): void {
    if (this.stopped) return;
    const known = this.dirty.get(key);
    if (known !== undefined) {
      if (PRIORITIES.indexOf(priority) < PRIORITIES.indexOf(known.priority)) this.promote(key, known, priority);
      return;
    }
    const { name, metrics, clock } = this.options;
    metrics.adds.inc({ name });
    this.dirty.set(key, { since: clock.monotonic(), priority });
    if (!this.processing.has(key)) this.offer(key, priority);
  }

  /** Adds the key later. Of several calls the earliest moment counts. */
  addAfter(key: string, milliseconds: number): void {
    if (this.stopped) return;
    if (milliseconds <= 0) {
      this.add(key);
      return;
    }
    const due = this.options.clock.monotonic() + milliseconds;
    const earlier = this.timers.get(key);
    if (earlier !== undefined) {
      if (earlier.due <= due) return;
      earlier.timer.cancel();
    }
    const timer = this.options.clock.after(milliseconds, () => {
      this.timers.delete(key);
      this.add(key);
    });
    this.timers.set(key, { timer, due });
  }

  /** Adds the key after a delay that doubles with each call until forget(), later if too many keys fail at once. */
  addRateLimited(key: string): void {
    const failures = (this.failures.get(key) ?? 0) + 1;
    this.failures.set(key, failures);
    this.options.metrics.retries.inc({ name: this.options.name });
    this.addAfter(key, Math.max(backoffDelay(failures, this.options.retry ?? RETRY), this.retries.take()));
  }

  forget(key: string): void {
    this.failures.delete(key);
  }

  failuresOf(key: string): number {
    return this.failures.get(key) ?? 0;
  }

  /** The next key, once there is one; undefined after stop(). The caller owes a done(key). */
  take(): Promise<string | undefined> {
    if (this.stopped) return Promise.resolve(undefined);
    for (const priority of PRIORITIES) {
      const [key] = this.waiting[priority];
      if (key === undefined) continue;
      this.waiting[priority].delete(key);
      return Promise.resolve(this.begin(key));
    }
    return new Promise((resolve) => this.takers.push(resolve));
  }

  done(key: string): void {
    const { name, metrics, clock } = this.options;
    const started = this.processing.get(key);
    this.processing.delete(key);
    if (started !== undefined) metrics.workDuration.observe({ name }, (clock.monotonic() - started) / 1000);
    const again = this.dirty.get(key);
    if (again !== undefined) this.offer(key, again.priority);
  }

  /** Wakes all takers with undefined; nothing can be added afterwards. */
  stop(): void {
    this.stopped = true;
    for (const { timer } of this.timers.values()) timer.cancel();
    this.timers.clear();
    for (const taker of this.takers.splice(0)) taker(undefined);
  }

  /** Gauges that are only known when somebody looks: called before the metrics are read. */
  sampleMetrics(): void {
    const { name, metrics, clock } = this.options;
    const ages = [...this.processing.values()].map((started) => (clock.monotonic() - started) / 1000);
    metrics.unfinishedWork.set(
      { name },
      ages.reduce((sum, age) => sum + age, 0),
    );
    metrics.longestRunning.set({ name }, Math.max(0, ...ages));
  }

  private promote(key: string, known: { priority: Priority }, priority: Priority): void {
    const isWaiting = this.waiting[known.priority].delete(key);
    known.priority = priority;
    if (isWaiting) this.waiting[priority].add(key);
  }

  private offer(key: string, priority: Priority): void {
    if (this.stopped) return;
    const taker = this.takers.shift();
    if (taker !== undefined) {
      taker(this.begin(key));
      return;
    }
    this.waiting[priority].add(key);
    this.options.metrics.depth.set({ name: this.options.name }, this.length);
  }

  private begin(key: string): string {
    const { name, metrics, clock } = this.options;
    const added = this.dirty.get(key)?.since ?? clock.monotonic();
    this.dirty.delete(key);
    this.processing.set(key, clock.monotonic());
    metrics.depth.set({ name }, this.length);
    metrics.queueDuration.observe({ name }, (clock.monotonic() - added) / 1000);
    return key;
  }
}
