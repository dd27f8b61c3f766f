/** Reads what reporter.cjs wrote. Pure; used by mocha.ts. */
import { type Tally, oneFailed } from "./tally";

type Event = "begin" | "pass" | "fail" | "skip" | "end" | "aborted";

export interface Report {
  tally: Tally;
  /** Why a failure was added that no test has reported. */
  crash?: string;
}

/**
 * Counts a run's results. A run without an end, or that failed in a way no test accounts for, has one more failure.
 * `outcome` is how the process ended: its exit code, or the name of the signal.
 */
export function readReport(lines: string, outcome: number | string): Report {
  const events = lines.split("\n").flatMap(parse);
  const count = (event: Event): number => events.filter((each) => each === event).length;
  const tally = { passed: count("pass"), failed: count("fail"), skipped: count("skip") };
  const crash = reason(events, tally, outcome);
  return crash === undefined ? { tally } : { tally: { ...tally, failed: tally.failed + oneFailed.failed }, crash };
}

function reason(events: Event[], tally: Tally, outcome: number | string): string | undefined {
  if (!events.includes("begin")) return `ended (${outcome}) before its first test`;
  if (events.includes("aborted")) return "was interrupted";
  if (!events.includes("end")) return `ended (${outcome}) in the middle of its tests`;
  if (outcome !== 0 && tally.failed === 0) return `ended with ${outcome} although no test failed`;
  return undefined;
}

/** A line that a dying process left half-written is no result. */
function parse(line: string): Event[] {
  try {
    return line === "" ? [] : [(JSON.parse(line) as { event: Event }).event];
  } catch {
    return [];
  }
}
