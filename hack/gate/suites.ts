/** The suites of the gate, in the order in which they run. Called by main.ts. */
import type { NetworkName } from "../cluster";
import type { SuiteName } from "./budget";
import { run } from "./child";
import type { Context } from "./context";
import { lint } from "./lint";
import { mocha } from "./mocha";
import type { Report } from "./report";

export interface Suite {
  name: SuiteName;
  /** What the Pods of its cluster hang on, if it has one. */
  network?: NetworkName;
  run: (context: Context) => Promise<Report>;
}

export const suites: Suite[] = [
  { name: "lint", run: async ({ signal, print }) => ({ tally: await lint(signal, print) }) },
  { name: "unit", run: (context) => mochaHere("test/unit/.mocharc.json", context) },
  { name: "lab", run: lab },
  { name: "kernel", run: onKernelDatapath },
  { name: "e2e", network: "ovs", run: (context) => inCluster(context, "ovs") },
  { name: "e2e-ovn", network: "ovn", run: (context) => inCluster(context, "ovn") },
];

export const networks = suites.flatMap(({ network }) => network ?? []);

/** What the command line says about which suites shall run. */
export interface Choice {
  only?: SuiteName[];
  grep?: string;
  cluster?: string;
  network?: NetworkName;
}

/** Of the e2e suites only the one on `network`, which then is meant by "e2e", too; on a given cluster only the first. */
export function chosen({ only, grep, cluster, network }: Choice): Suite[] {
  const wanted = cluster === undefined ? network : networks[0];
  return suites.filter((suite) => {
    if (suite.name === "lint" && grep !== undefined) return false;
    if (suite.network === undefined || wanted === undefined) return only?.includes(suite.name) ?? true;
    return suite.network === wanted && (only?.includes("e2e") ?? true);
  });
}

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
async function inCluster(context: Context, network: NetworkName): Promise<Report> {
  const { e2e } = await import("./e2e");
  return e2e(context, network);
}
