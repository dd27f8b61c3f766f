/** Time as a dependency: reconcilers, queue and elector take a Clock, so that tests can run them in virtual time. */

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since the epoch, for what users see (timestamps). May jump. */
  now(): number;
  /** Milliseconds since some fixed moment, for durations. Never jumps. */
  monotonic(): number;
  /** Calls back once after so many milliseconds; does not keep the process alive. */
  after(milliseconds: number, callback: () => void): Timer;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (milliseconds, callback) => {
    const timer = setTimeout(callback, milliseconds);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

/** Resolves after so many milliseconds, at once if the signal is aborted. */
export function sleep(clock: Clock, milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      timer.cancel();
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = clock.after(milliseconds, done);
    signal?.addEventListener("abort", done, { once: true });
  });
}
