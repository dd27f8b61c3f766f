/**
 * What every npm script starts: checks Node, installs the npm packages if the lock file has changed, generates the API
 * types, then hands over to the program named by the first argument. Plain JavaScript, because nothing is installed yet.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";

const root = path.join(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), "..");
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19))
  fail(`Node ${process.versions.node} is too old: install Node 20.19 or newer.`);

/** Name → arguments of node. Several commands run one after the other until one fails. */
const programs = {
  generate: [["--import", "tsx", "hack/codegen/reference.ts"]],
  types: [["node_modules/typescript/bin/tsc", "--noEmit"]],
  lint: [["--import", "tsx", "hack/gate/lint.ts"]],
  unit: [["node_modules/mocha/bin/mocha.js", "--config", "test/unit/.mocharc.json"]],
  lab: [["--import", "tsx", "hack/gate/main.ts", "--only", "lab"]],
  kernel: [["--import", "tsx", "hack/gate/main.ts", "--only", "kernel", "--long"]],
  e2e: [["--import", "tsx", "hack/gate/main.ts", "--only", "e2e"]],
  gate: [["--import", "tsx", "hack/gate/main.ts"]],
  cluster: [["--import", "tsx", "hack/cluster/main.ts"]],
  image: [["--import", "tsx", "hack/image/main.ts"]],
  plugin: [["--import", "tsx", "hack/plugin/main.ts"]],
  deploy: [["--import", "tsx", "hack/deploy/main.ts"]],
  demo: [["--import", "tsx", "hack/demo/main.ts"]],
  "supply-chain": [["--import", "tsx", "hack/supply-chain/main.ts"]],
  "bench-e2e": [["--import", "tsx", "test/bench/e2e/main.ts"]],
  mutation: [["node_modules/@stryker-mutator/core/bin/stryker.js", "run", "test/mutation/stryker.config.json"]],
  "bench-admission": [["--import", "tsx", "test/bench/admission/main.ts"]],
  "bench-controller": [["--expose-gc", "--import", "tsx", "test/bench/controller/main.ts"]],
  "bench-dataplane": [["--import", "tsx", "test/bench/dataplane/main.ts"]],
  "bench-operation": [["--import", "tsx", "test/bench/operation/main.ts"]],
};

const [name, ...args] = process.argv.slice(2);
if (!programs[name]) fail(`Unknown program ${name}: one of ${Object.keys(programs).join(", ")}.`);
process.chdir(root);
install();
generate();
for (const command of programs[name]) {
  const status = await hand(process.execPath, [...command, ...args]);
  if (status !== 0) process.exit(status);
}

/** Runs a program on our terminal. It gets our signals, and we outlive it, so that it can clean up before npm returns. */
function hand(command, commandArgs) {
  const child = spawn(command, commandArgs, { stdio: "inherit" });
  const forward = (signal) => child.kill(signal);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, forward);
  return new Promise((resolve) => {
    child.once("error", (error) => fail(`${command} ${commandArgs.join(" ")} failed: ${error.message}.`));
    child.once("close", (status, signal) => resolve(status ?? (signal ? 130 : 1)));
  });
}

/** npm writes what it has installed into a lock file of its own, at the end; ours may name packages for other platforms. */
function install() {
  const hidden = "node_modules/.package-lock.json";
  const have = existsSync(hidden) ? JSON.parse(readFileSync(hidden, "utf8")).packages : {};
  const missing = Object.entries(JSON.parse(readFileSync("package-lock.json", "utf8")).packages).filter(
    ([place, { version, optional }]) =>
      place.includes("node_modules/") && (have[place] ? have[place].version !== version : !optional),
  );
  if (missing.length === 0) return;
  console.error("Installing the npm packages…");
  run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
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
