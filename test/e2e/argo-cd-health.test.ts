/** health.lua in the sandbox in which Argo CD runs it. Its cases have the layout of Argo CD's own repository. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { execa } from "execa";
import { parse } from "yaml";
import { argoCd } from "../../hack/toolchain";

const FOLDER = path.join(
  import.meta.dirname,
  "../../contrib/argo-cd/resource_customizations/crd.antrea.io/TrafficControl",
);

interface Case {
  inputPath: string;
  healthStatus: { status: string; message: string };
}

describe("health.lua for Argo CD", () => {
  const { tests } = parse(readFileSync(path.join(FOLDER, "health_test.yaml"), "utf8")) as { tests: Case[] };

  it("has a case for each health that it knows", () => {
    const known = [...new Set(tests.map(({ healthStatus }) => healthStatus.status))].sort();
    assert.deepEqual(known, ["Degraded", "Healthy", "Progressing", "Suspended"]);
  });

  for (const { inputPath, healthStatus } of tests)
    it(`says ${healthStatus.status} of ${path.basename(inputPath, ".yaml")}`, async () => {
      const args = ["health.lua", inputPath];
      const env = { ARGOCD_BINARY_NAME: "argocd-health" };
      const { stdout } = await execa(path.join(await argoCd(), "argo-cd"), args, { cwd: FOLDER, env });
      assert.deepEqual(JSON.parse(stdout), healthStatus);
    });
});
