import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";

const folder = path.join(import.meta.dirname, "../../../.github/workflows");

interface Workflow {
  permissions?: Record<string, string>;
  jobs: Record<string, { "timeout-minutes"?: number; steps: { uses?: string; run?: string }[] }>;
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
      for (const job of Object.values(jobs)) assert.ok(job["timeout-minutes"]);
    });

    it(`start in ${file} what a developer starts`, () => {
      assert.ok(steps.some(({ run }) => /\.ci\/run$|npm run test:long$/.test(run ?? "")));
    });
  }
});
