/** A Clock that stands still until told otherwise. Timers fire in order; everything that they start is let finish before the next. */
import type { Clock, Timer } from "../../../capabilities/engine";

interface Pending {
  due: number;
  order: number;
  callback: () => void;
}

export class VirtualClock implements Clock {
  private time = 0;
  private order = 0;
  private readonly timers = new Set<Pending>();

  constructor(private epoch = Date.UTC(2026, 0, 1)) {}

  /** Somebody sets the time of day; durations do not mind. */
  jump(milliseconds: number): void {
    this.epoch += milliseconds;
  }

  now(): number {
    return this.epoch + this.time;
  }

  monotonic(): number {
    return this.time;
  }

  after(milliseconds: number, callback: () => void): Timer {
    const pending = { due: this.time + Math.max(0, milliseconds), order: this.order++, callback };
    this.timers.add(pending);
    return { cancel: () => this.timers.delete(pending) };
  }

  /** Lets so many milliseconds pass. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.time + milliseconds;
    await settle();
    for (let next = this.next(end); next !== undefined; next = this.next(end)) {
      this.timers.delete(next);
      this.time = Math.max(this.time, next.due);
      next.callback();
      await settle();
    }
    this.time = end;
  }

  private next(end: number): Pending | undefined {
    const due = [...this.timers].filter((timer) => timer.due <= end);
    return due.sort((a, b) => a.due - b.due || a.order - b.order)[0];
  }
}

/** Lets every promise and setImmediate that is under way finish. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 12; i++) await new Promise((resolve) => setImmediate(resolve));
}
