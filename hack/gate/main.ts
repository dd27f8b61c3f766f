/**
 * The gate: everything that must hold before a change goes in. Started by `npm test`, `npm run test:long`,
 * `test:lab`, `test:kernel` and `test:e2e`. Ends with one line that adds up what all suites have shown.
 */
import { Command, InvalidArgumentError, Option } from "commander";
import { CLEAN_UP, type SuiteName, budget } from "./budget";
import { prepare } from "./preparation";
import type { Report } from "./report";
import { type Choice, type Suite, chosen, networks, suites } from "./suites";
import { type Tally, add, exitCode, lastLine, nothing, oneFailed, ran } from "./tally";

interface Options extends Choice {
  long?: true;
}

interface Result {
  name: SuiteName;
  tally: Tally;
  seconds: number;
  /** Seconds that the suite may take. */
  share: number;
}

/** How many files are named of each suite. */
const SLOWEST = 8;
const print = (line: string): void => console.log(line);
const options = readOptions();
const allowed = budget(options.long === true, process.env["GATE_MINUTES"]);
const stop = new AbortController();
let interrupted: NodeJS.Signals | undefined;
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.on(name, () => {
    if (interrupted) return;
    interrupted = name;
    print(`\n${name}: ending the suite and cleaning up…`);
    stop.abort();
  });
const deadline = setTimeout(
  () => {
    print(`\nThe limit of ${allowed.limit} minutes is reached: ending the suite. GATE_MINUTES=N allows more.`);
    stop.abort();
  },
  allowed.limit * 60_000 - CLEAN_UP,
);

const results: Result[] = [];
const wanted = chosen(options);
const unprepared = wanted.filter(({ network }) => network === undefined || options.cluster === undefined);
const preparation = await prepare(
  unprepared.map(({ name }) => name),
  options.long === true,
  stop.signal,
  print,
);
for (const suite of wanted) {
  if (stop.signal.aborted) break;
  results.push(await runSuite(suite));
}
clearTimeout(deadline);
summarise();

function readOptions(): Options {
  const known = suites.map(({ name }) => name);
  const names = (text: string): SuiteName[] =>
    text.split(",").map((name) => {
      const found = known.find((each) => each === name);
      if (!found) throw new InvalidArgumentError(`There is no suite "${name}": one of ${known.join(", ")}.`);
      return found;
    });
  return new Command("gate")
    .description("Runs lint, unit tests, packet tests and end-to-end tests.")
    .option("--only <suites>", `some of ${known.join(",")}`, names)
    .option("--grep <pattern>", "only tests whose names match; leaves lint out")
    .option("--long", "the long versions of the suites (LONG=1)")
    .option("--cluster <name>", "run e2e on this running cluster with the operator in it, and leave it there")
    .addOption(
      new Option("--network <network>", "run e2e on this network only, all of it")
        .choices(networks)
        .conflicts("cluster"),
    )
    .parse()
    .opts<Options>();
}

async function runSuite(suite: Suite): Promise<Result> {
  const share = allowed.suites[suite.name] * 60;
  print(`\n── ${suite.name} ── at most ${minutes(share)} ──`);
  const started = performance.now();
  const { tally, files = [], crash } = await report(suite);
  const seconds = (performance.now() - started) / 1000;
  if (crash !== undefined) print(`The suite ${suite.name} ${crash}: counted as a failure.`);
  const slowest = files.slice(0, SLOWEST).map(([file, taken]) => `${file} ${minutes(taken)}`);
  if (slowest.length > 1) print(`The slowest files of ${suite.name}: ${slowest.join(", ")}.`);
  if (seconds > share)
    print(`!!! ${suite.name} took ${minutes(seconds)}, its share of the budget is ${minutes(share)}.`);
  return { name: suite.name, tally, seconds, share };
}

/** A suite that throws has failed; one that runs nothing has too, unless a pattern has left nothing of it. */
async function report(suite: Suite): Promise<Report> {
  try {
    const { grep, long = false, cluster } = options;
    const asked = options.only?.includes(suite.name) === true;
    const whole = long || options.network !== undefined || asked;
    const found = await suite.run({ signal: stop.signal, print, grep, whole, asked, long, cluster, preparation });
    if (ran(found.tally) || options.grep !== undefined) return found;
    return { tally: add(found.tally, oneFailed), crash: "ran nothing" };
  } catch (error) {
    print(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return { tally: oneFailed, crash: "could not run" };
  }
}

function summarise(): void {
  print("\n suite     passed  failed  skipped      time  of its share");
  for (const { name, tally, seconds, share } of results)
    print(
      ` ${name.padEnd(8)}${[tally.passed, tally.failed, tally.skipped].map((number) => String(number).padStart(8)).join("")}` +
        `${minutes(seconds).padStart(11)}${`${Math.round((100 * seconds) / share)} %`.padStart(14)}${seconds > share ? "  !!!" : ""}`,
    );
  const taken = results.reduce((sum, { seconds }) => sum + seconds, 0);
  print(` together ${minutes(taken)} of ${allowed.total} min`);
  const left = wanted.slice(results.length);
  const total = results.reduce((sum, { tally }) => add(sum, tally), nothing);
  for (const { name } of left) print(`The suite ${name} did not run any more: counted as a failure.`);
  const tally = left.reduce((sum) => add(sum, oneFailed), total);
  print(lastLine(tally));
  // Not left to the event loop: a handle that a suite has forgotten must not keep the gate open.
  process.exit(interrupted ? 130 : exitCode(tally));
}

function minutes(seconds: number): string {
  return seconds < 100 ? `${seconds.toFixed(1)} s` : `${(seconds / 60).toFixed(1)} min`;
}
