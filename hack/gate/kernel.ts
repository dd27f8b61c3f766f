/**
 * The kernel suite: the lab's packet tests on the kernel's datapath, in a virtual machine. The tests are the files of
 * test/lab, bundled, because the machine has no node_modules. Called by suites.ts.
 */
import { build } from "esbuild";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { hasKvm, machineCommand, makeDisk, vmImage } from "../kernel";
import { run } from "./child";
import type { Context } from "./context";
import { type Report, readReport } from "./report";

/** What main.mjs finds beside it as job.json. */
export interface Job {
  grep?: string;
  /** File for the reporter. */
  output: string;
  /** Milliseconds that a test or hook may take. */
  timeout: number;
  env: Record<string, string>;
}

/** What there is time for in `npm test`. */
const SOME = ["mirror-matrix.test.ts"];
/** They are about the lab itself, or need OVN, which the machine does not have. What is in test/lab/wrapper is left out too: to it a datapath makes no difference. */
const NOT_CONCERNED = ["lab", "ovn-bridges", "ovn-hazards", "ovn-matrix", "ovn-services"].map(
  (name) => `${name}.test.ts`,
);
/** The second serial port, where machineCommand collects results. */
const RESULTS = "/dev/ttyS1";
const TIMEOUT = 600_000;
/** The machine may be ten times slower. */
const PATIENCE_FACTOR = "10";
const DISK_MEGABYTES = 64;

const root = path.join(import.meta.dirname, "../..");
/** Mocha, which is CommonJS, calls require(). */
const REQUIRE = `import { createRequire as createRequireOfBundle } from "node:module"; const require = createRequireOfBundle(import.meta.url);`;

export async function kernel(context: Context): Promise<Report> {
  await context.preparation("kernel");
  const image = await vmImage((text) => context.print(`  [kernel] ${text}`));
  const folder = await mkdtemp(path.join(tmpdir(), "gate-kernel-"));
  try {
    const [job, disk, results] = ["job", "job.img", "results.jsonl"].map((name) => path.join(folder, name)) as [
      string,
      string,
      string,
    ];
    await bundleTests(job, context);
    await makeDisk(job, disk, DISK_MEGABYTES);
    const [command, ...args] = machineCommand({ image, job: disk, results });
    const { outcome } = await run(command, args, { signal: context.signal, output: "show" });
    const lines = await readFile(results, "utf8").catch(() => "");
    return readReport(lines, exitOf(lines) ?? outcome);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The exit code that the machine has noted; undefined if it has not come so far. */
function exitOf(lines: string): number | undefined {
  const found = /^\{"exit":(\d+)\}/m.exec(lines)?.[1];
  return found === undefined ? undefined : Number(found);
}

/** Where each instruction is translated, all of it takes hours: then only who asks for this suite gets all. */
function isWhole({ long, asked, print }: Context): boolean {
  if (long && !asked && !hasKvm())
    print("  [kernel] No virtualization here: what npm test has of it. `npm run test:kernel` runs all, for hours.");
  return long && (asked || hasKvm());
}

async function bundleTests(into: string, context: Context): Promise<void> {
  const { grep } = context;
  const long = isWhole(context);
  const all = (await readdir(path.join(root, "test/lab"))).filter((file) => file.endsWith(".test.ts"));
  const files = long ? all.filter((file) => !NOT_CONCERNED.includes(file)) : SOME;
  const tests = Object.fromEntries(files.map((file) => [`tests/${file}`, `test/lab/${file}`]));
  const options = {
    bundle: true,
    platform: "node",
    format: "esm",
    banner: { js: REQUIRE },
    logLevel: "error",
  } as const;
  await build({
    ...options,
    absWorkingDir: root,
    entryPoints: { main: "hack/gate/kernel-main.ts", ...tests },
    outdir: into,
    outExtension: { ".js": ".mjs" },
  });
  const programmer = "node-programmer.mjs";
  await build({
    ...options,
    absWorkingDir: root,
    entryPoints: ["packages/node-programmer/src/main.ts"],
    outfile: path.join(into, programmer),
  });
  const env = {
    LAB_DATAPATH: "system",
    LAB_PROGRAMMER: `/job/${programmer}`,
    PATIENCE_FACTOR,
    ...(long ? { LONG: "1" } : {}),
  };
  const job: Job = { output: RESULTS, timeout: TIMEOUT, env, ...(grep === undefined ? {} : { grep }) };
  await writeFile(path.join(into, "job.json"), JSON.stringify(job));
}
