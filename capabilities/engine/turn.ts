/**
 * Gives the event loop its turn. Promises alone do not: a thousand reconciles that find nothing to write are one turn, in which no watch
 * is read, no probe answered and no Lease renewed. Used by the workers and by whoever goes through very many objects.
 */
import type { Clock } from "./clock";

/** How long work may go on until something else gets its turn. */
const TURN_MS = 10;

export class Turns {
  private began: number;
  private next: Promise<void> | undefined;

  constructor(private readonly clock: Pick<Clock, "monotonic">) {
    this.began = clock.monotonic();
  }

  /** Undefined as long as the turn is short; otherwise resolves in the next one. Whoever works side by side shares a turn. */
  over(): Promise<void> | undefined {
    if (this.next !== undefined) return this.next;
    if (this.clock.monotonic() - this.began < TURN_MS) return undefined;
    this.next = new Promise((resolve) =>
      setImmediate(() => {
        this.next = undefined;
        this.began = this.clock.monotonic();
        resolve();
      }),
    );
    return this.next;
  }
}
