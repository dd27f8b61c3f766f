/** The lint suite: `npm run lint` runs this file alone, main.ts runs it as part of the gate. */
import path from "node:path";
import { pathToFileURL } from "node:url";
import { type Check, type Verdict, checks } from "./checks";
import { type Ended, run } from "./child";
import { type Tally, add, exitCode, lastLine, nothing, oneFailed } from "./tally";

const root = path.join(import.meta.dirname, "../..");
/** As many problems of one check as are shown; more are counted only. */
const SHOWN = 100;

/** Runs all checks, two at a time, and prints each one's result when it has ended. */
export async function lint(signal: AbortSignal, print: (line: string) => void): Promise<Tally> {
  const waiting = [...checks];
  const results: Tally[] = [];
  const worker = async (): Promise<void> => {
    for (let check = waiting.shift(); check && !signal.aborted; check = waiting.shift())
      results.push(await examine(check, signal, print));
  };
  await Promise.all([worker(), worker()]);
  return results.reduce(add, nothing);
}

async function examine(check: Check, signal: AbortSignal, print: (line: string) => void): Promise<Tally> {
  const started = performance.now();
  const end = await run(process.execPath, check.args, { signal, output: "keep" });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const verdict = judge(check, end);
  if (verdict.problems.length === 0) {
    print(`  ✔ ${check.name}: ${verdict.looked} (${seconds} s)`);
    return { ...nothing, passed: 1 };
  }
  print(`  ✘ ${check.name}: ${verdict.problems.length} problems (${seconds} s)`);
  for (const problem of verdict.problems.slice(0, SHOWN)) print(`      ${problem}`);
  if (verdict.problems.length > SHOWN) print(`      … and ${verdict.problems.length - SHOWN} more`);
  return oneFailed;
}

function judge(check: Check, { outcome, stdout, stderr }: Ended): Verdict {
  try {
    if (!check.exits.includes(outcome)) throw new Error("it crashed");
    return check.read(stdout, stderr, root);
  } catch (error) {
    const tail = `${stdout}\n${stderr}`.trim().split("\n").slice(-20);
    const why = error instanceof Error ? error.message : String(error);
    const command = `node ${check.args.join(" ")}`;
    return { looked: "", problems: [`${command} ended with ${outcome} without a usable report: ${why}`, ...tail] };
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const interrupted = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => interrupted.abort());
  const tally = await lint(interrupted.signal, (line) => console.log(line));
  console.log(lastLine(tally));
  process.exitCode = interrupted.signal.aborted ? 130 : exitCode(tally);
}
