/** Reads what reporter.cjs wrote. Pure; used by mocha.ts. */
import { type Tally, oneFailed } from "./tally";

type Event = "begin" | "pass" | "fail" | "skip" | "described" | "end" | "aborted";

interface Line {
  event: Event;
  file?: string;
  seconds?: number;
}

export interface Report {
  tally: Tally;
  /** What each file of tests took, the longest first. */
  files?: [name: string, seconds: number][];
  /** Why a failure was added that no test has reported. */
  crash?: string;
}

/**
 * Counts a run's results. A run without an end, or that failed in a way no test accounts for, has one more failure.
 * `outcome` is how the process ended: its exit code, or the name of the signal.
 */
export function readReport(lines: string, outcome: number | string): Report {
  const parsed = lines.split("\n").flatMap(parse);
  const events = parsed.map(({ event }) => event);
  const count = (event: Event): number => events.filter((each) => each === event).length;
  const tally = { passed: count("pass"), failed: count("fail"), skipped: count("skip") };
  const crash = reason(events, tally, outcome);
  const files = longest(parsed);
  if (crash === undefined) return { tally, files };
  return { tally: { ...tally, failed: tally.failed + oneFailed.failed }, files, crash };
}

function longest(lines: Line[]): [string, number][] {
  const files = new Map<string, number>();
  for (const { file = "", seconds } of lines)
    if (seconds !== undefined) files.set(file, (files.get(file) ?? 0) + seconds);
  return [...files].sort(([, a], [, b]) => b - a);
}

function reason(events: Event[], tally: Tally, outcome: number | string): string | undefined {
  if (!events.includes("begin")) return `ended (${outcome}) before its first test`;
  if (events.includes("aborted")) return "was interrupted";
  if (!events.includes("end")) return `ended (${outcome}) in the middle of its tests`;
  if (outcome !== 0 && tally.failed === 0) return `ended with ${outcome} although no test failed`;
  return undefined;
}

/** A line that a dying process left half-written is no result. */
function parse(line: string): Line[] {
  try {
    return line === "" ? [] : [JSON.parse(line) as Line];
  } catch {
    return [];
  }
}
