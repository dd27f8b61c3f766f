/** Waiting for what a cluster does in its own time. Used by the end-to-end tests, the benchmarks and the demo. */
import { setTimeout as sleep } from "node:timers/promises";
import { PATIENCE_FACTOR } from "../patience";

export interface Patience {
  seconds?: number;
  /** Pause between two looks. */
  pauseMilliseconds?: number;
}

/**
 * Looks until `look` neither throws nor returns false or undefined, and returns what it has returned. When the time is
 * up, the error says what was awaited and what the last look showed.
 */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | false | undefined> | T | false | undefined,
  { seconds: usual = 15, pauseMilliseconds = 50 }: Patience = {},
): Promise<T> {
  const seconds = usual * PATIENCE_FACTOR;
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    let last: unknown;
    try {
      const found = await look();
      if (found !== false && found !== undefined) return found;
      last = found;
    } catch (error) {
      last = error;
    }
    if (Date.now() >= deadline) {
      const seen = last instanceof Error ? last.message : `the look returned ${String(last)}`;
      throw new Error(`Not within ${seconds} s: ${what}. Last: ${seen}`, { cause: last });
    }
    await sleep(pauseMilliseconds);
  }
}
