/** What has to be there before the lab and e2e suites: packages now, builds in the background. Called by main.ts. */
import { checkPrerequisites, installPrerequisites } from "../toolchain";
import { type Ended, run } from "./child";

export interface Preparation {
  /** Throws what the user has to mend before the lab suite can run. */
  machine: () => Promise<void>;
  /** The same for the e2e suite, whose builds it waits for. */
  builds: () => Promise<void>;
}

const notNeeded: Preparation = { machine: () => Promise.resolve(), builds: () => Promise.resolve() };

/** Installs packages if a suite needs them, and starts the builds if the e2e suite is among `suites`. Never throws. */
export async function prepare(
  suites: string[],
  signal: AbortSignal,
  print: (line: string) => void,
): Promise<Preparation> {
  const e2e = suites.includes("e2e");
  if (!e2e && !suites.includes("lab")) return notNeeded;
  try {
    await packages(e2e, print);
  } catch (error) {
    print(error instanceof Error ? error.message : String(error));
    const fail = (): Promise<never> => Promise.reject(new Error("The machine lacks what this suite needs: see above."));
    return { machine: fail, builds: fail };
  }
  if (!e2e) return notNeeded;
  const running = run("nice", ["-n", "10", process.execPath, "--import", "tsx", "hack/gate/builds.ts"], {
    signal,
    output: "show",
  });
  // Waited for by the e2e suite only: until then nobody hears of a failure, which is no unhandled one.
  running.catch(() => undefined);
  return { ...notNeeded, builds: () => running.then(verdict) };
}

async function packages(e2e: boolean, print: (line: string) => void): Promise<void> {
  const { installable, problems } = await checkPrerequisites(
    e2e ? ["cluster", "image", "capture", "metrics"] : ["cluster", "capture", "metrics"],
  );
  if (problems.length > 0) throw new Error(problems.join("\n"));
  await installPrerequisites(installable, (text) => print(`  [packages] ${text}`));
}

function verdict({ outcome }: Ended): void {
  if (outcome !== 0) throw new Error(`The builds ended with ${outcome}: see the lines that start with [builds].`);
}
