/** What a suite is given. */
import type { Preparation } from "./preparation";

export interface Context {
  /** Aborted by Ctrl-C and when the budget is used up. */
  signal: AbortSignal;
  print: (line: string) => void;
  grep: string | undefined;
  /** All of the suite, also where `npm test` has the time for a part of it only. */
  whole: boolean;
  /** Named by `--only`. */
  asked: boolean;
  /** `npm run test:long`. */
  long: boolean;
  /** A running cluster with the operator in it, instead of one of the suite's own. */
  cluster: string | undefined;
  preparation: Preparation;
}
