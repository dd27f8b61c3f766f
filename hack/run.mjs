/**
 * What every npm script starts: checks Node, installs the npm packages if the lock file has changed, generates the API
 * types, then hands over to the program named by the first argument. Plain JavaScript, because nothing is installed yet.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";

const root = path.join(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), "..");
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19))
  fail(`Node ${process.versions.node} is too old: install Node 20.19 or newer.`);

/** Name → arguments of node. Several commands run one after the other until one fails. */
const programs = {
  generate: [],
  types: [["node_modules/typescript/bin/tsc", "--noEmit"]],
  lint: [["--import", "tsx", "hack/gate/lint.ts"]],
  unit: [["node_modules/mocha/bin/mocha.js", "--config", "test/unit/.mocharc.json"]],
  lab: [["--import", "tsx", "hack/gate/main.ts", "--only", "lab"]],
  e2e: [["--import", "tsx", "hack/gate/main.ts", "--only", "e2e"]],
  gate: [["--import", "tsx", "hack/gate/main.ts"]],
  cluster: [["--import", "tsx", "hack/cluster/main.ts"]],
  image: [["--import", "tsx", "hack/image/main.ts"]],
  demo: [["--import", "tsx", "hack/demo/main.ts"]],
  "bench-e2e": [["--import", "tsx", "test/bench/e2e/main.ts"]],
};

const [name, ...args] = process.argv.slice(2);
if (!programs[name]) fail(`Unknown program ${name}: one of ${Object.keys(programs).join(", ")}.`);
process.chdir(root);
install();
generate();
for (const command of programs[name]) {
  const { status, signal } = spawnSync(process.execPath, [...command, ...args], { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? (signal ? 130 : 1));
}

function install() {
  const stamp = "node_modules/.installed";
  const wanted = hashOf("package-lock.json");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  console.error("Installing the npm packages…");
  run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
  writeFileSync(stamp, wanted);
}

function generate() {
  const stamp = "capabilities/api/generated/.inputs";
  const wanted = hashOf("hack/codegen/types.ts", ...readdirSync("crds").map((file) => `crds/${file}`));
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  run(process.execPath, ["--import", "tsx", "hack/codegen/types.ts"]);
  mkdirSync(path.dirname(stamp), { recursive: true });
  writeFileSync(stamp, wanted);
}

function hashOf(...files) {
  const hash = createHash("sha256");
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest("hex");
}

function run(command, commandArgs) {
  const { status, error } = spawnSync(command, commandArgs, { stdio: ["ignore", "inherit", "inherit"] });
  if (status !== 0) fail(`${command} ${commandArgs.join(" ")} failed${error ? `: ${error.message}` : ""}.`);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
