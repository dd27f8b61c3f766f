import assert from "node:assert/strict";
import { readReport } from "../../../hack/gate/report";
import { exitCode, lastLine, nothing } from "../../../hack/gate/tally";

const lines = (...events: string[]): string => events.map((event) => `{"event":"${event}"}\n`).join("");

describe("readReport", () => {
  it("counts what the tests have reported", () => {
    const { tally, crash } = readReport(lines("begin", "pass", "pass", "skip", "fail", "end"), 1);
    assert.deepEqual(tally, { passed: 2, failed: 1, skipped: 1 });
    assert.equal(crash, undefined);
  });

  it("adds up what each file took", () => {
    const described = [
      { file: "a.test.ts", seconds: 1 },
      { file: "b.test.ts", seconds: 3 },
      { file: "a.test.ts", seconds: 4 },
    ].map((line) => `${JSON.stringify({ event: "described", ...line })}\n`);
    const { tally, files } = readReport(lines("begin", "pass") + described.join("") + lines("end"), 0);
    assert.deepEqual(files, [
      ["a.test.ts", 5],
      ["b.test.ts", 3],
    ]);
    assert.deepEqual(tally, { passed: 1, failed: 0, skipped: 0 });
  });

  const crashes: [what: string, lines: string, outcome: number | string, failed: number][] = [
    ["a run that wrote nothing", "", 1, 1],
    ["a run that exits with 0 but wrote nothing", "", 0, 1],
    ["a run that was killed in the middle", lines("begin", "pass"), "SIGKILL", 1],
    ["a run killed while it wrote a line", `${lines("begin", "pass")}{"event":"pa`, "SIGKILL", 1],
    ["a run that failed after its tests", lines("begin", "pass", "end"), 7, 1],
    ["a failure before an interruption", lines("begin", "fail", "aborted"), 1, 2],
  ];
  for (const [what, text, outcome, failed] of crashes)
    it(`adds a failure for ${what}`, () => {
      const report = readReport(text, outcome);
      assert.equal(report.tally.failed, failed);
      assert.notEqual(report.crash, undefined);
    });
});

describe("the last line", () => {
  it("names skipped tests only if there are any", () => {
    assert.equal(lastLine({ passed: 3, failed: 0, skipped: 0 }), "3 passed, 0 failed");
    assert.equal(lastLine({ passed: 3, failed: 1, skipped: 2 }), "3 passed, 1 failed, 2 skipped");
  });

  it("goes with exit code 1 when something failed, when nothing ran and when everything was skipped", () => {
    assert.equal(exitCode({ passed: 3, failed: 0, skipped: 1 }), 0);
    assert.equal(exitCode({ passed: 3, failed: 1, skipped: 0 }), 1);
    assert.equal(exitCode(nothing), 1);
    assert.equal(exitCode({ passed: 0, failed: 0, skipped: 5 }), 1);
  });
});
