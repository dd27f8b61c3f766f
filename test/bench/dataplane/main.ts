/**
 * npm run bench:dataplane [-- --runs 20 --network ovn --only recovery]: what the data plane costs, on real Open vSwitch in network
 * namespaces, side by side with the naive way. One table; takes some minutes, and makes its own lab.
 */
import { Command, Option } from "commander";
import { cpus, loadavg, totalmem } from "node:os";
import { execFileSync } from "node:child_process";
import { table } from "../e2e/statistics";
import type { Measurement } from "../e2e/statistics";
import { firstCopies } from "./first-copies";
import { flows } from "./flows";
import { forwarding } from "./forwarding";
import { idle } from "./idle";
import { loss } from "./loss";
import type { NetworkName } from "./network";
import { lossOnOvn, recoveryOnOvn } from "./on-ovn";
import { fewPods, manyPods, plans } from "./plans";
import { recovery } from "./recovery";

/** Each measures on a lab of its own. `runs`: of what is quick. */
const SECTIONS: Record<string, (runs: number) => Promise<Measurement[]>> = {
  flows,
  plans,
  "first-copies": firstCopies,
  loss,
  recovery,
  forwarding: () => forwarding(),
  idle,
};

/** The same on OVN, and what is different there. */
const ON_OVN: typeof SECTIONS = {
  loss: lossOnOvn,
  recovery: recoveryOnOvn,
  forwarding: () => forwarding("ovn"),
  "10-pods": (runs) => fewPods(runs, "ovn"),
  "100-pods": (runs) => manyPods(runs, "ovn", 100),
  "1000-pods": (runs) => manyPods(runs, "ovn", 1000),
};

const options = new Command("bench:dataplane")
  .description("Measures flows, replacements, recovery, forwarding and the idle programmer.")
  .option("--runs <number>", "runs of each quick measurement", Number, 20)
  .option("--only <sections>", `some of ${Object.keys(SECTIONS).join(",")}`, (text) => text.split(","))
  .addOption(new Option("--network <name>", "what the Pods hang on").choices(["ovs", "ovn"]).default("ovs"))
  .parse()
  .opts<{ runs: number; only?: string[]; network: NetworkName }>();

const load = loadavg()[0]!;
const found: Measurement[] = [];
for (const [name, measure] of Object.entries(options.network === "ovn" ? ON_OVN : SECTIONS)) {
  if (options.only && !options.only.includes(name)) continue;
  const started = performance.now();
  found.push(...(await measure(options.runs)));
  console.error(`${name}: done in ${((performance.now() - started) / 1000).toFixed(0)} s`);
}
console.log(`\n${table(found)}\n\n${machine()}`);
process.exit(0);

/** Where and how the figures were measured; the load says whether the machine had anything else to do. */
function machine(): string {
  const [cpu] = cpus();
  const hardware = `${cpus().length} × ${cpu?.model ?? "?"}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB`;
  const [ovs] = execFileSync("ovs-vswitchd", ["--version"], { encoding: "utf8" }).split("\n");
  const only = options.only ? ` --only ${options.only.join(",")}` : "";
  const network = options.network === "ovs" ? "" : ` --network ${options.network}`;
  const command = `npm run bench:dataplane -- --runs ${options.runs}${network}${only}`;
  const loads = `load average ${load.toFixed(1)} before and ${loadavg()[0]!.toFixed(1)} after`;
  return `Measured on ${hardware}, Node ${process.versions.node}, ${ovs}, ${loads}, with: ${command}`;
}
