/** What a suite adds to the last line of the gate. Used by everything in this folder. */

export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

export const nothing: Tally = { passed: 0, failed: 0, skipped: 0 };
/** A suite that could not even start, or that ended before it could report. */
export const oneFailed: Tally = { passed: 0, failed: 1, skipped: 0 };

export function add(a: Tally, b: Tally): Tally {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped };
}

/** Whether anything was shown at all: skipped tests show nothing. */
export function ran(tally: Tally): boolean {
  return tally.passed + tally.failed > 0;
}

/** The gate's last line, for people and for scripts. */
export function lastLine({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

/** The exit code that goes with it: nothing ran is a failure too. */
export function exitCode(tally: Tally): 0 | 1 {
  return tally.failed === 0 && ran(tally) ? 0 : 1;
}
