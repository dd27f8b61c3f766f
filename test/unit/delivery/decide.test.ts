import assert from "node:assert/strict";
import { decideJob, type JobDecision, type JobFacts, type JobSituation } from "../../../capabilities/delivery";

const JOB: JobFacts = {
  name: "j",
  node: "n",
  uid: "u",
  templateHash: "now",
  createdAt: "2026-01-01T00:00:00Z",
  started: true,
  deleting: false,
  state: "active",
};
const ready = { ready: true };

const CASES: [
  what: string,
  situation: Partial<JobSituation>,
  expected: JobDecision["action"] | "Foreground" | "Background",
][] = [
  ["a node with something to do gets a Job", {}, "create"],
  ["a node with nothing to do gets none", { wanted: false }, "none"],
  ["a node that is not ready gets none", { node: { ready: false } }, "none"],
  ["a node that is gone gets none", { node: undefined }, "none"],
  ["a node whose programmer has just failed waits", { backoffMilliseconds: 700 }, "wait"],
  ["a running Job is left alone", { job: JOB }, "none"],
  ["a lingering Job is left alone", { job: JOB, wanted: false }, "none"],
  [
    "a Job with an old template is replaced, and its Pod waited for",
    { job: { ...JOB, templateHash: "old" } },
    "replace",
  ],
  [
    "a lingering Job with an old template ends by itself",
    { job: { ...JOB, templateHash: "old" }, wanted: false },
    "none",
  ],
  [
    "on a node that does not answer a Job with an old template stays",
    { job: { ...JOB, templateHash: "old" }, node: { ready: false } },
    "none",
  ],
  ["a Job of the other mode is replaced, and its Pod waited for", { job: JOB, isOtherMode: true }, "replace"],
  [
    "a Job of the other mode is ended where nothing is to do",
    { job: JOB, wanted: false, isOtherMode: true },
    "Foreground",
  ],
  [
    "on a node that does not answer a Job of the other mode stays",
    { job: JOB, isOtherMode: true, node: { ready: false } },
    "none",
  ],
  ["a Job that has come of age is replaced", { job: JOB, isOld: true }, "replace"],
  ["a lingering Job that has come of age ends by itself", { job: JOB, isOld: true, wanted: false }, "none"],
  ["on a node that does not answer a Job grows older", { job: JOB, isOld: true, node: { ready: false } }, "none"],
  ["a Job that has failed is deleted, to be made anew", { job: { ...JOB, state: "failed" } }, "Background"],
  ["a Job that has succeeded is deleted", { job: { ...JOB, state: "succeeded" }, wanted: false }, "Background"],
  [
    "a finished Job is deleted on a node that is not ready, too",
    { job: { ...JOB, state: "failed" }, node: { ready: false } },
    "Background",
  ],
  ["a Job that is being deleted is waited for", { job: { ...JOB, deleting: true, state: "failed" } }, "none"],
  ["the Job of a node that is gone is deleted, and its Pod waited for", { job: JOB, node: undefined }, "Foreground"],
  ["the Job of a node that is gone is deleted once", { job: { ...JOB, deleting: true }, node: undefined }, "none"],
];

describe("decideJob", () => {
  for (const [what, situation, expected] of CASES) {
    it(what, () => {
      const decision = decideJob({
        node: ready,
        wanted: true,
        job: undefined,
        templateHash: "now",
        isOld: false,
        isOtherMode: false,
        backoffMilliseconds: 0,
        ...situation,
      });
      assert.equal(decision.action === "delete" ? decision.propagationPolicy : decision.action, expected);
    });
  }

  it("says how long to wait", () => {
    const decision = decideJob({
      node: ready,
      wanted: true,
      job: undefined,
      templateHash: "",
      isOld: false,
      isOtherMode: false,
      backoffMilliseconds: 700,
    });
    assert.deepEqual(decision, { action: "wait", milliseconds: 700 });
  });
});
