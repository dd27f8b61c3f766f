/** The clock that the kernel stamps packets with, read from here. Used where a request and a packet are compared. */

/** Seconds since the epoch, to the microsecond. Date.now() knows milliseconds only, and the monotonic clock no epoch. */
export function wallClock(): number {
  const before = Date.now();
  if (!anchor || Math.abs(anchor.epoch + (performance.now() - anchor.monotonic) - before) > 2) anchor = align();
  return (anchor.epoch + (performance.now() - anchor.monotonic)) / 1000;
}

interface Anchor {
  /** Milliseconds. */
  epoch: number;
  monotonic: number;
}

let anchor: Anchor | undefined;

/** Waits, at most a millisecond, for the moment in which Date.now() advances. */
function align(): Anchor {
  const start = Date.now();
  let now = start;
  while (now === start) now = Date.now();
  return { epoch: now, monotonic: performance.now() };
}
