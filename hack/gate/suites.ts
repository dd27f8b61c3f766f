/** The suites of the gate, in the order in which they run. Called by main.ts. */
import type { SuiteName } from "./budget";
import { run } from "./child";
import type { Context } from "./context";
import { lint } from "./lint";
import { mocha } from "./mocha";
import type { Report } from "./report";

export interface Suite {
  name: SuiteName;
  run: (context: Context) => Promise<Report>;
}

export const suites: Suite[] = [
  { name: "lint", run: async ({ signal, print }) => ({ tally: await lint(signal, print) }) },
  { name: "unit", run: (context) => mochaHere("test/unit/.mocharc.json", context) },
  { name: "lab", run: lab },
  { name: "kernel", run: onKernelDatapath },
  { name: "e2e", run: inCluster },
];

function mochaHere(config: string, { signal, grep, long }: Context): Promise<Report> {
  return mocha(config, grep, (args) =>
    run(process.execPath, args, { signal, output: "show", env: long ? { LONG: "1" } : {} }),
  );
}

async function lab(context: Context): Promise<Report> {
  await context.preparation("lab");
  return mochaHere("test/lab/.mocharc.json", context);
}

async function onKernelDatapath(context: Context): Promise<Report> {
  const { kernel } = await import("./kernel");
  return kernel(context);
}

/** Loaded when its turn comes, as the one above: a cluster that does not even compile fails this suite and not the gate. */
async function inCluster(context: Context): Promise<Report> {
  const { e2e } = await import("./e2e");
  return e2e(context);
}
