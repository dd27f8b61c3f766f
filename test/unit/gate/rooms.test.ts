import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { type ICruiseOptions, type IFlattenedRuleSet, cruise } from "dependency-cruiser";

const root = path.join(import.meta.dirname, "../../..");
const config = createRequire(import.meta.url)("../../../.dependency-cruiser.cjs") as IFlattenedRuleSet & {
  options: ICruiseOptions;
};

/** One file that imports one module, and the rule that forbids it, if any does. */
const cases: [from: string, imports: string, forbiddenBy: string | undefined][] = [
  ["capabilities/engine/a.ts", "../selection", "engine-knows-no-room"],
  ["capabilities/engine/b.ts", "../api", undefined],
  ["capabilities/engine/c.ts", "@ovs-traffic-control/api", undefined],
  ["capabilities/engine/d.ts", "node:fs", undefined],
  ["capabilities/api/a.ts", "../engine", "api-depends-on-nothing"],
  ["capabilities/selection/a.ts", "../engine", "selection-uses-api"],
  ["capabilities/selection/b.ts", "node:fs", "pure-rooms-have-no-effects"],
  ["capabilities/planning/a.ts", "../selection", undefined],
  ["capabilities/planning/b.ts", "../delivery", "planning-uses-api-and-selection"],
  ["capabilities/planning/c.ts", "node:crypto", undefined],
  ["capabilities/planning/d.ts", "kubernetes-fluent-client", "pure-rooms-know-no-client"],
  ["capabilities/admission/a.ts", "../planning", "admission-uses-api-and-engine"],
  ["capabilities/admission/b.ts", "../engine", undefined],
  ["capabilities/delivery/a.ts", "../planning", undefined],
  ["capabilities/delivery/b.ts", "../reporting", "delivery-uses-api-engine-and-planning"],
  ["capabilities/delivery/c.ts", "kubernetes-fluent-client", undefined],
  ["capabilities/delivery/d.ts", "fast-check", "product-not-on-dev-dependencies"],
  ["capabilities/reporting/a.ts", "../delivery", "reporting-uses-api-engine-and-planning"],
  ["capabilities/reporting/b.ts", "../planning/inner", "doors"],
  ["capabilities/reporting/c.ts", "./inner", undefined],
  ["capabilities/reporting/d.ts", "./missing", "no-unresolvable"],
  ["capabilities/reporting/e.ts", "../../hack/cluster", "product-not-on-tools"],
  ["capabilities/traffic-control.ts", "./planning/inner", "doors-for-the-entry"],
  ["pepr.ts", "./capabilities/delivery", undefined],
  ["packages/ovs-ofctl-wrapper/src/a.ts", "@ovs-traffic-control/api", "wrapper-knows-nothing-of-us"],
  ["packages/ovs-ofctl-wrapper/src/b.ts", "kubernetes-fluent-client", "wrapper-knows-no-kubernetes"],
  ["packages/node-programmer/src/a.ts", "ovs-ofctl-wrapper", undefined],
  ["packages/node-programmer/src/b.ts", "@ovs-traffic-control/api", undefined],
  ["packages/node-programmer/src/c.ts", "../../../capabilities/engine", "programmer-knows-no-controller"],
  ["packages/node-programmer/src/d.ts", "../../ovs-ofctl-wrapper/src/inner", "doors-of-packages"],
  ["packages/node-programmer/src/e.ts", "./inner", undefined],
  ["packages/kubectl-trafficcontrol/src/a.ts", "../../../capabilities/planning", undefined],
  ["packages/kubectl-trafficcontrol/src/b.ts", "../../../capabilities/planning/inner", "doors-of-packages"],
  ["packages/kubectl-trafficcontrol/src/c.ts", "ovs-ofctl-wrapper", "plugin-uses-the-controller-s-rooms"],
  ["capabilities/reporting/f.ts", "../../packages/kubectl-trafficcontrol/src/inner", "nobody-uses-the-plugin"],
  ["packages/node-programmer/src/part/f.ts", "../inner", undefined],
  ["capabilities/admission/c.ts", "pepr", undefined],
  ["capabilities/engine/circle/a.ts", "./b", "no-circular"],
  ["hack/demo/a.ts", "../cluster", undefined],
  ["hack/demo/b.ts", "../cluster/inner", "doors"],
  ["hack/demo/c.ts", "ovs-ofctl-wrapper", undefined],
  ["test/unit/a.ts", "../../capabilities/planning/inner", undefined],
];

describe("rules between the rooms", () => {
  let violations: { from: string; rule: string }[];

  before(async function () {
    this.timeout(20_000);
    violations = await violationsOf(cases);
  });

  for (const [from, imports, forbiddenBy] of cases)
    it(`${forbiddenBy ? `forbid (${forbiddenBy})` : "allow"} ${from} to import ${imports}`, () => {
      const broken = violations.filter((each) => each.from === from).map(({ rule }) => rule);
      if (forbiddenBy === undefined) assert.deepEqual(broken, []);
      else assert.ok(broken.includes(forbiddenBy), `broken rules: ${broken.join(", ") || "none"}`);
    });

  it("find nothing in rooms that import only themselves", () => {
    const files = new Set(cases.map(([from]) => from));
    assert.deepEqual(
      violations.filter(({ from, rule }) => !files.has(from) && rule !== "no-orphans"),
      [],
    );
  });
});

/** Cruises a repository with this one's packages, whose rooms contain nothing but the cases. */
async function violationsOf(files: typeof cases): Promise<typeof seen> {
  const folder = mkdtempSync(path.join(tmpdir(), "rooms-"));
  const seen: { from: string; rule: string }[] = [];
  try {
    build(folder, files);
    const { output } = await cruise(["pepr.ts", "capabilities", "packages", "hack", "test"], {
      ...config.options,
      ruleSet: config,
      validate: true,
      baseDir: folder,
    });
    assert.ok(typeof output !== "string");
    for (const { from, rule } of output.summary.violations) seen.push({ from, rule: rule.name });
    return seen;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function build(folder: string, files: typeof cases): void {
  const write = (file: string, text: string): void => {
    mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    writeFileSync(path.join(folder, file), text);
  };
  const rooms = ["api", "engine", "selection", "planning", "admission", "delivery", "reporting"];
  const homes = [
    ...rooms.map((room) => `capabilities/${room}`),
    ...[
      "packages/ovs-ofctl-wrapper/src",
      "packages/node-programmer/src",
      "packages/kubectl-trafficcontrol/src",
      "hack/cluster",
      "hack/demo",
    ],
  ];
  for (const home of homes) {
    write(`${home}/index.ts`, `export * from "./inner";\n`);
    write(`${home}/inner.ts`, "export const inner = 1;\n");
  }
  write("capabilities/engine/circle/b.ts", 'export * from "./a";\n');
  for (const [from, imports] of files) write(from, `import * as it from "${imports}";\nexport const used = it;\n`);
  for (const file of ["package.json", "capabilities/api/package.json", "tsconfig.json"])
    cpSync(path.join(root, file), path.join(folder, file));
  for (const name of ["ovs-ofctl-wrapper", "node-programmer"])
    cpSync(path.join(root, `packages/${name}/package.json`), path.join(folder, `packages/${name}/package.json`));
  const link = (name: string, target: string): void => {
    mkdirSync(path.dirname(path.join(folder, "node_modules", name)), { recursive: true });
    symlinkSync(target, path.join(folder, "node_modules", name));
  };
  link("@ovs-traffic-control/api", path.join(folder, "capabilities/api"));
  link("ovs-ofctl-wrapper", path.join(folder, "packages/ovs-ofctl-wrapper"));
  for (const name of ["kubernetes-fluent-client", "fast-check", "pepr"]) {
    write(`node_modules/${name}/package.json`, JSON.stringify({ name, version: "1.0.0", main: "index.js" }));
    write(`node_modules/${name}/index.js`, "");
  }
}
