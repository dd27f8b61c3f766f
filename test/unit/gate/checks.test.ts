import assert from "node:assert/strict";
import {
  readCruiser,
  readEslint,
  readKnip,
  readPrettier,
  readReference,
  readTsc,
  type Verdict,
} from "../../../hack/gate/checks";

describe("what the tools of the lint suite report", () => {
  const found: [tool: string, verdict: () => Verdict, problems: string[]][] = [
    [
      "eslint",
      () =>
        readEslint(
          JSON.stringify([
            { filePath: "/r/a.ts", messages: [{ line: 3, column: 7, ruleId: "eqeqeq", message: "Expected '==='." }] },
            { filePath: "/r/b.ts", messages: [] },
          ]),
          "",
          "/r",
        ),
      ["a.ts:3:7 Expected '==='. (eqeqeq)"],
    ],
    [
      "tsc",
      () => readTsc("a.ts(1,7): error TS2322: Type 'string'.\n  Detail.\n/r/a.ts\n/r/node_modules/x.d.ts\n", "", "/r"),
      ["a.ts(1,7): error TS2322: Type 'string'.", "  Detail."],
    ],
    [
      "prettier",
      () =>
        readPrettier(
          "Checking formatting...\n",
          "[warn] a.ts\n[error] b.ts: SyntaxError\n[warn] Code style issues found\n",
        ),
      ["a.ts", "b.ts: SyntaxError"],
    ],
    [
      "dependency-cruiser",
      () =>
        readCruiser(
          JSON.stringify({
            summary: {
              totalCruised: 2,
              violations: [{ rule: { name: "doors", severity: "error" }, from: "a.ts", to: "b.ts" }],
            },
          }),
        ),
      ["a.ts imports b.ts, which the rule doors forbids"],
    ],
    [
      "knip",
      () =>
        readKnip(
          JSON.stringify({
            files: ["dead.ts"],
            issues: [
              { file: "a.ts", exports: [{ name: "unused", line: 4 }], types: [], dependencies: [{ name: "left-pad" }] },
            ],
          }),
        ),
      [
        "dead.ts: nothing imports it",
        "a.ts:4 unused: unused or unlisted (exports)",
        "a.ts left-pad: unused or unlisted (dependencies)",
      ],
    ],
    ["the API reference", () => readReference("Looked at 1 page.\n", "docs/x.md is stale\n"), ["docs/x.md is stale"]],
  ];
  for (const [tool, verdict, problems] of found)
    it(`is read from ${tool}`, () => assert.deepEqual(verdict().problems, problems));

  const empty: [tool: string, verdict: () => Verdict][] = [
    ["eslint", () => readEslint("[]", "", "/r")],
    ["eslint, after a crash", () => readEslint("Oops!", "", "/r")],
    ["tsc", () => readTsc("/r/node_modules/x.d.ts\n", "", "/r")],
    ["prettier", () => readPrettier("", "")],
    ["dependency-cruiser", () => readCruiser('{"summary":{"totalCruised":0,"violations":[]}}')],
    ["knip, after a crash", () => readKnip("")],
    ["the API reference", () => readReference("", "")],
  ];
  for (const [tool, verdict] of empty)
    it(`is no success when ${tool} has looked at nothing`, () => assert.throws(verdict));
});
