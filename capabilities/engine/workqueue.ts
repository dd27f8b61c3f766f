/**
 * A work queue of keys with client-go's rules: a key is in it at most once; a key that is added while it is being processed is
 * processed once more afterwards, never at the same time. Failed keys come back with exponential back-off.
 */
import { backoffDelay, type BackoffOptions } from "./backoff";
import type { Clock, Timer } from "./clock";
import type { EngineMetrics } from "./metrics";

const RETRY: BackoffOptions = { baseMilliseconds: 10, maximumMilliseconds: 60_000, jitter: 0.2 };

export interface WorkQueueOptions {
  name: string;
  clock: Clock;
  metrics: EngineMetrics;
  retry?: BackoffOptions;
}

export class WorkQueue {
  /** Keys that wait to be taken, in order. */
  private readonly waiting: string[] = [];
  /** Keys that need processing: waiting ones, and those that were added while they were being processed. */
  private readonly dirty = new Map<string, number>();
  private readonly processing = new Map<string, number>();
  private readonly failures = new Map<string, number>();
  private readonly timers = new Map<string, { timer: Timer; due: number }>();
  private readonly takers: ((key: string | undefined) => void)[] = [];
  private stopped = false;

  constructor(private readonly options: WorkQueueOptions) {}

  get length(): number {
    return this.waiting.length;
  }

  add(key: string): void {
    if (this.stopped || this.dirty.has(key)) return;
    const { name, metrics, clock } = this.options;
    metrics.adds.inc({ name });
    this.dirty.set(key, clock.monotonic());
    if (!this.processing.has(key)) this.offer(key);
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

  /** Adds the key after a delay that doubles with each call until forget(). */
  addRateLimited(key: string): void {
    const failures = (this.failures.get(key) ?? 0) + 1;
    this.failures.set(key, failures);
    this.options.metrics.retries.inc({ name: this.options.name });
    this.addAfter(key, backoffDelay(failures, this.options.retry ?? RETRY));
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
    const key = this.waiting.shift();
    if (key !== undefined) return Promise.resolve(this.begin(key));
    return new Promise((resolve) => this.takers.push(resolve));
  }

  done(key: string): void {
    const { name, metrics, clock } = this.options;
    const started = this.processing.get(key);
    this.processing.delete(key);
    if (started !== undefined) metrics.workDuration.observe({ name }, (clock.monotonic() - started) / 1000);
    if (this.dirty.has(key)) this.offer(key);
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

  private offer(key: string): void {
    const taker = this.takers.shift();
    if (taker !== undefined) {
      taker(this.begin(key));
      return;
    }
    this.waiting.push(key);
    this.options.metrics.depth.set({ name: this.options.name }, this.waiting.length);
  }

  private begin(key: string): string {
    const { name, metrics, clock } = this.options;
    const added = this.dirty.get(key) ?? clock.monotonic();
    this.dirty.delete(key);
    this.processing.set(key, clock.monotonic());
    metrics.depth.set({ name }, this.waiting.length);
    metrics.queueDuration.observe({ name }, (clock.monotonic() - added) / 1000);
    return key;
  }
}
