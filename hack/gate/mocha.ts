/** Runs one folder of Mocha tests and counts them. Used by the suites of main.ts. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Ended } from "./child";
import { type Report, readReport } from "./report";

/** Starts `node ARGS…` somewhere, with its output on our terminal. */
type StartNode = (args: string[]) => Promise<Ended>;

/**
 * Runs Mocha with the configuration file `config`. Not through bin/mocha.js: that one starts a second process, whose
 * clean-up hooks a Ctrl-C would skip.
 */
export async function mocha(config: string, grep: string | undefined, start: StartNode): Promise<Report> {
  const folder = await mkdtemp(path.join(tmpdir(), "gate-"));
  const output = path.join(folder, "results.jsonl");
  try {
    const { outcome } = await start([
      ...["--import", "tsx", "node_modules/mocha/lib/cli/cli.js", "--config", config],
      ...["--reporter", "./hack/gate/reporter.cjs", "--reporter-option", `output=${output}`],
      ...(grep === undefined ? [] : ["--grep", grep]),
    ]);
    return readReport(await readFile(output, "utf8").catch(() => ""), outcome);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
