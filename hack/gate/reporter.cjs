/**
 * Mocha reporter of the gate: Spec's output on the terminal, and each result at once as a line of JSON in the file
 * named by `--reporter-option output=FILE`, so that a crash in the middle loses no count. SIGINT ends the run after the
 * current test, with the hooks that clean up. CommonJS, because Mocha loads reporters with require.
 */
const { appendFileSync } = require("node:fs");
const Mocha = require("mocha");

const { EVENT_RUN_BEGIN, EVENT_RUN_END, EVENT_TEST_FAIL, EVENT_TEST_PASS, EVENT_TEST_PENDING } = Mocha.Runner.constants;

module.exports = class GateReporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const output = options.reporterOption?.output;
    if (!output) throw new Error("The gate's reporter needs --reporter-option output=FILE.");
    const write = (event, runnable) =>
      appendFileSync(output, `${JSON.stringify({ event, title: runnable?.fullTitle() })}\n`);
    runner.on(EVENT_RUN_BEGIN, () => write("begin"));
    runner.on(EVENT_TEST_PASS, (test) => write("pass", test));
    runner.on(EVENT_TEST_FAIL, (test) => write("fail", test));
    runner.on(EVENT_TEST_PENDING, (test) => write("skip", test));
    // "abort" is not the end of a run: what did not run any more must not look as if it had never existed.
    let aborted = false;
    runner.on(EVENT_RUN_END, () => write(aborted ? "aborted" : "end"));
    process.on("SIGINT", () => {
      aborted = true;
      runner.abort();
    });
  }
};
