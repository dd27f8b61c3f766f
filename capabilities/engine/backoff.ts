/** Exponential back-off with jitter, per key. Used by the work queue, the informers and the Jobs' restarts. */

export interface BackoffOptions {
  baseMilliseconds: number;
  maximumMilliseconds: number;
  /** Share of the delay that is random: 0.2 means ±20 %. */
  jitter: number;
  random?: () => number;
}

/** Delay before attempt number `failures` + 1, given how often it has failed so far (1, 2, …). */
export function backoffDelay(failures: number, options: BackoffOptions): number {
  const exponential = options.baseMilliseconds * 2 ** Math.min(failures - 1, 30);
  const capped = Math.min(exponential, options.maximumMilliseconds);
  const spread = ((options.random ?? Math.random)() * 2 - 1) * options.jitter;
  return Math.round(capped * (1 + spread));
}
