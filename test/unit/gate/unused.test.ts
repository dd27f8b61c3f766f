import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { readKnip } from "../../../hack/gate/checks";

const root = path.join(import.meta.dirname, "../../..");

/** A repository with this one's settings for knip, some code that is used, and some that is not. */
const files: Record<string, string> = {
  "pepr.ts": 'import { used } from "./capabilities/engine";\nimport { port } from "ovs-ofctl-wrapper";\nused(port);\n',
  "capabilities/engine/index.ts": 'export { used, unusedAtTheDoor } from "./inner";\n',
  "capabilities/engine/inner.ts":
    "export const used = (value: unknown): unknown => value;\n" +
    "export const unusedAtTheDoor = 1;\nexport const unused = 2;\n",
  "capabilities/engine/dead.ts": "export const dead = 1;\n",
  "capabilities/api/index.ts": "export const UNUSED_NAME = 1;\n",
  "packages/ovs-ofctl-wrapper/src/index.ts": 'export { port } from "./port";\nexport const forOthers = 1;\n',
  "packages/ovs-ofctl-wrapper/src/port.ts": "export const port = 1;\nexport const unusedInThePackage = 2;\n",
  "packages/node-programmer/src/main.ts": "console.log(1);\n",
  "packages/node-programmer/src/index.ts": "export {};\n",
  "test/unit/some.test.ts": 'import { used } from "../../capabilities/engine";\nused(1);\n',
};

describe("the check for unused code", () => {
  let problems: string[];

  before(async function () {
    this.timeout(60_000);
    problems = await problemsOf(files);
  });

  const finds: [what: string, line: RegExp][] = [
    ["a file that nothing imports", /capabilities\/engine\/dead\.ts/],
    ["an export that nothing imports", /inner\.ts.* unused:/],
    ["an export of a room that no other room wants", /engine\/index\.ts.* unusedAtTheDoor/],
    ["a name of the API that nobody uses", /UNUSED_NAME/],
    ["an export inside a package that its door does not pass on", /unusedInThePackage/],
  ];
  for (const [what, line] of finds)
    it(`finds ${what}`, () =>
      assert.ok(
        problems.some((problem) => line.test(problem)),
        problems.join("\n"),
      ));

  it("lets through what is used, and what a package offers to others", () => {
    assert.deepEqual(
      problems.filter((problem) => / (used|port|forOthers):|main\.ts|some\.test\.ts/.test(problem)),
      [],
    );
  });
});

async function problemsOf(repository: Record<string, string>): Promise<string[]> {
  const folder = mkdtempSync(path.join(tmpdir(), "unused-"));
  try {
    for (const [file, text] of Object.entries(repository)) {
      mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
      writeFileSync(path.join(folder, file), text);
    }
    const settings = ["package.json", "knip.json", "tsconfig.json"];
    const packages = ["capabilities/api", "packages/ovs-ofctl-wrapper", "packages/node-programmer"];
    for (const file of [...settings, ...packages.map((home) => `${home}/package.json`)])
      cpSync(path.join(root, file), path.join(folder, file));
    const args = [path.join(root, "node_modules/knip/bin/knip.js"), "--directory", folder];
    const stdout = await new Promise<string>((resolve) =>
      // Its exit code says that it has found something, which it shall.
      execFile(process.execPath, [...args, "--no-progress", "--reporter", "json"], (_, output) => resolve(output)),
    );
    return readKnip(stdout).problems;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
