import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";

const folder = path.join(import.meta.dirname, "../../../.github/workflows");

interface Workflow {
  permissions?: Record<string, string>;
  jobs: Record<string, Job>;
}

interface Job {
  "timeout-minutes"?: number;
  permissions?: Record<string, string>;
  needs?: string;
  steps: { uses?: string; run?: string }[];
}

describe("workflows", () => {
  for (const file of readdirSync(folder)) {
    const text = readFileSync(path.join(folder, file), "utf8");
    const { permissions, jobs } = parse(text) as Workflow;
    const steps = Object.values(jobs).flatMap((job) => job.steps);

    it(`pin each action of ${file} by its commit and name its version`, () => {
      const used = steps.flatMap(({ uses }) => uses ?? []);
      assert.ok(used.length > 0);
      for (const action of used) {
        assert.match(action, /^[\w-]+\/[\w-]+@[0-9a-f]{40}$/);
        assert.match(text, new RegExp(`${action} # v\\d+\\.\\d+\\.\\d+$`, "m"));
      }
    });

    it(`give ${file} no more than the right to read, and a time limit to each job`, () => {
      assert.deepEqual(permissions, { contents: "read" });
      for (const [name, job] of Object.entries(jobs)) {
        assert.ok(job["timeout-minutes"]);
        // What is published is written by one job, after everything that is tested.
        if (job.permissions !== undefined)
          assert.deepEqual([file, name, job.needs], ["release.yml", "publish", "test"]);
      }
    });

    it(`put no expression of ${file} into a script, which could be one that somebody else has written`, () => {
      for (const { run = "" } of steps) assert.doesNotMatch(run, /\$\{\{/);
    });

    it(`start in ${file} what a developer starts`, () => {
      assert.ok(steps.some(({ run }) => /\.ci\/run$|npm run test:long$/.test(run ?? "")));
    });
  }
});
