/**
 * Mocha reporter of the gate: Spec's output on the terminal, and each result at once as a line of JSON in the file
 * named by `--reporter-option output=FILE`, so that a crash in the middle loses no count. SIGINT ends the run after the
 * current test, with the hooks that clean up. CommonJS, because Mocha loads reporters with require.
 */
const { appendFileSync } = require("node:fs");
const path = require("node:path");
const { performance } = require("node:perf_hooks");
const Mocha = require("mocha");

const { EVENT_RUN_BEGIN, EVENT_RUN_END, EVENT_TEST_FAIL, EVENT_TEST_PASS, EVENT_TEST_PENDING } = Mocha.Runner.constants;
const { EVENT_SUITE_BEGIN, EVENT_SUITE_END } = Mocha.Runner.constants;

module.exports = class GateReporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const output = options.reporterOption?.output;
    if (!output) throw new Error("The gate's reporter needs --reporter-option output=FILE.");
    const append = (line) => appendFileSync(output, `${JSON.stringify(line)}\n`);
    const write = (event, runnable) => append({ event, title: runnable?.fullTitle() });
    runner.on(EVENT_RUN_BEGIN, () => write("begin"));
    runner.on(EVENT_TEST_PASS, (test) => write("pass", test));
    runner.on(EVENT_TEST_FAIL, (test) => write("fail", test));
    runner.on(EVENT_TEST_PENDING, (test) => write("skip", test));
    // With its hooks, which are most of what some files take.
    let began;
    const isOutermost = (suite) => suite.parent?.root === true;
    runner.on(EVENT_SUITE_BEGIN, (suite) => {
      if (isOutermost(suite)) began = performance.now();
    });
    runner.on(EVENT_SUITE_END, (suite) => {
      const [file, seconds] = [path.basename(suite.file ?? ""), (performance.now() - began) / 1000];
      if (isOutermost(suite)) append({ event: "described", file, seconds });
    });
    // "abort" is not the end of a run: what did not run any more must not look as if it had never existed.
    let aborted = false;
    runner.on(EVENT_RUN_END, () => write(aborted ? "aborted" : "end"));
    process.on("SIGINT", () => {
      aborted = true;
      runner.abort();
    });
  }
};
