/** What has to be there before the lab, kernel and e2e suites: packages now, builds in the background. Called by main.ts. */
import { type Purpose, checkPrerequisites, installPrerequisites } from "../toolchain";
import type { SuiteName } from "./budget";
import { run } from "./child";

/** For each suite that needs more than Node: resolves when it can run, throws what the user has to mend before. */
export type Preparation = (suite: SuiteName) => Promise<void>;

/** What their long versions need besides. */
const LONG_PURPOSES: Partial<Record<SuiteName, Purpose[]>> = { lab: ["inspection"] };
const IN_CLUSTER: Purpose[] = ["cluster", "image", "capture", "metrics", "gitops"];
const PURPOSES: Partial<Record<SuiteName, Purpose[]>> = {
  lab: ["cluster", "capture", "metrics", "ovn"],
  kernel: ["kernel"],
  e2e: IN_CLUSTER,
  "e2e-ovn": [...IN_CLUSTER, "ovn"],
};

/** Installs the packages that the suites need, and starts their builds, one after the other in their order. Never throws. */
export async function prepare(
  suites: SuiteName[],
  long: boolean,
  signal: AbortSignal,
  print: (line: string) => void,
): Promise<Preparation> {
  const ready = new Map<SuiteName, Promise<void>>();
  let building: Promise<unknown> = Promise.resolve();
  for (const suite of suites) {
    const purposes = PURPOSES[suite];
    if (!purposes) continue;
    const installed = packages([...purposes, ...((long && LONG_PURPOSES[suite]) || [])], print);
    // One apt-get at a time. A suite's failure is its own: the others can run.
    const before = building;
    await installed.catch(() => undefined);
    const done = suite === "lab" ? installed : installed.then(() => before).then(() => build(suite, signal));
    // Waited for by the suite only: until then nobody hears of a failure, which is no unhandled one.
    building = done.catch(() => undefined);
    ready.set(suite, done);
  }
  return (suite) => ready.get(suite) ?? Promise.resolve();
}

async function packages(purposes: Purpose[], print: (line: string) => void): Promise<void> {
  const { installable, problems } = await checkPrerequisites(purposes);
  if (problems.length > 0) throw new Error(problems.join("\n"));
  await installPrerequisites(installable, (text) => print(`  [packages] ${text}`));
}

async function build(suite: SuiteName, signal: AbortSignal): Promise<void> {
  const program = ["--import", "tsx", "hack/gate/builds.ts", suite];
  const { outcome } = await run("nice", ["-n", "10", process.execPath, ...program], { signal, output: "show" });
  if (outcome !== 0) throw new Error(`The builds ended with ${outcome}: see the lines that start with [builds].`);
}
