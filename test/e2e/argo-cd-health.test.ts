/** health.lua for Argo CD under Lua 5.1, with no more of Lua than Argo CD gives it. Its cases have Argo CD's own layout. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { execa } from "execa";
import { parse } from "yaml";

const FOLDER = path.join(
  import.meta.dirname,
  "../../contrib/argo-cd/resource_customizations/crd.antrea.io/TrafficControl",
);

interface Case {
  inputPath: string;
  healthStatus: { status: string; message: string };
}

/** Base functions only: in production Argo CD loads base, package, table and a part of os. */
const SANDBOX = `
local script = assert(loadfile(os.getenv("SCRIPT")))
local allowed = { ipairs = ipairs, pairs = pairs, tostring = tostring, type = type, table = table }
allowed.obj = assert(loadstring("return " .. io.read("*a")))()
setfenv(script, allowed)
local health = script()
io.write(health.status, "\\n", health.message)
`;

describe("health.lua for Argo CD", () => {
  const { tests } = parse(readFileSync(path.join(FOLDER, "health_test.yaml"), "utf8")) as { tests: Case[] };

  it("has a case for each health that it knows", () => {
    const known = [...new Set(tests.map(({ healthStatus }) => healthStatus.status))].sort();
    assert.deepEqual(known, ["Degraded", "Healthy", "Progressing", "Suspended"]);
  });

  for (const { inputPath, healthStatus } of tests)
    it(`says ${healthStatus.status} of ${path.basename(inputPath, ".yaml")}`, async () => {
      const object: unknown = parse(readFileSync(path.join(FOLDER, inputPath), "utf8"));
      const env = { SCRIPT: path.join(FOLDER, "health.lua") };
      const { stdout } = await execa("lua5.1", ["-e", SANDBOX], { input: lua(object), env });
      assert.deepEqual(stdout.split("\n"), [healthStatus.status, healthStatus.message]);
    });
});

/** A value as Lua writes it. */
function lua(value: unknown): string {
  if (value === null || value === undefined) return "nil";
  if (typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `{${value.map(lua).join(",")}}`;
  return `{${Object.entries(value)
    .map(([key, each]) => `[${JSON.stringify(key)}]=${lua(each)}`)
    .join(",")}}`;
}
