/** `npm run deploy [-- --name NAME]` and `-- --undeploy`: the operator of this checkout into the embedded cluster. */
import { Command } from "commander";
import { Cluster, DEFAULT_NAME } from "../cluster/index";
import type { Progress } from "../toolchain";
import { deploy, undeploy } from "./index";

const options = new Command("deploy")
  .description("Builds the image, loads it into the nodes of the embedded cluster and installs the chart.")
  .option("--name <name>", "name of the cluster", DEFAULT_NAME)
  .option("--undeploy", "delete all TrafficControls and uninstall the chart")
  .parse()
  .opts<{ name: string; undeploy?: true }>();

const started = performance.now();
const progress: Progress = (text) =>
  console.error(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${text}`);

try {
  const cluster = await Cluster.open(options.name);
  if (options.undeploy) await undeploy(cluster, progress);
  else console.log(`${(await deploy(cluster, { progress })).image} is deployed.`);
  progress("Done");
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
