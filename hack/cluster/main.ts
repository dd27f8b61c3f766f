/** The command line of the embedded cluster: `npm run cluster -- COMMAND`, see --help. */
import { Command, InvalidArgumentError, Option } from "commander";
import { execa } from "execa";
import { spawnSync, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Cluster, DEFAULT_NAME, down, up } from "./index";
import { removeEverything } from "./down";
import { NETWORK_NAMES, type NetworkName } from "./network";
import { Places } from "./places";
import { readState } from "./state";
import { printStatus } from "./status";

const EXIT_CODES = `
Exit codes: 0 done; 1 failed; 2 wrong usage; 3 no such cluster or a part of it is dead (status);
130 interrupted. host and exec end with the exit code of the command.`;

const program = new Command("npm run cluster --")
  .description("A real Kubernetes cluster with Open vSwitch on this machine, in network namespaces without an uplink.")
  .addHelpText("after", EXIT_CODES)
  .enablePositionalOptions()
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));

interface UpCommandOptions {
  name: string;
  nodes?: number;
  network?: NetworkName;
  image?: string[];
}

const named = (command: Command): Command => command.option("--name <name>", "name of the cluster", DEFAULT_NAME);

named(program.command("up"))
  .description("bring the cluster up, or mend what is missing of it")
  .option("--nodes <count>", "number of nodes (default: as many as it has, else 3)", count)
  .addOption(
    new Option("--network <network>", "what the Pods hang on (default: what it has, else ovs)").choices(NETWORK_NAMES),
  )
  .option("--image <archive...>", "image archives to load into the nodes")
  .action(async ({ name, image, ...options }: UpCommandOptions) => {
    const isNew = (await readState(new Places(name))) === undefined;
    onInterrupt(isNew ? name : undefined);
    const started = Date.now();
    const cluster = await up({ name, ...options, images: image });
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    console.log(`Cluster ${name} with ${cluster.nodes.join(", ")} is up (${seconds} s).`);
    console.log(`Try: npm run cluster -- host --name ${name} kubectl get nodes`);
  });

named(program.command("down"))
  .description("take the cluster down; leaves no process, namespace, mount or cgroup")
  .action(({ name }: { name: string }) => down(name));

program
  .command("remove-half-made", { hidden: true })
  .argument("<name>")
  .action((name: string) => removeEverything(new Places(name)));

named(program.command("status"))
  .description("say what runs and what is dead")
  .action(async ({ name }: { name: string }) => {
    process.exitCode = (await printStatus(name)) ? 0 : 3;
  });

named(program.command("host"))
  .description("run a command where the API server is reachable, with KUBECONFIG set")
  .argument("<command...>")
  .passThroughOptions()
  .action(async (argv: string[], { name }: { name: string }) => {
    const cluster = await Cluster.open(name);
    const [command, ...args] = withoutDashes(argv);
    await pass(cluster.spawnHost(command!, args, { stdio: "inherit" }));
  });

named(program.command("exec"))
  .description("run a command inside a node")
  .argument("<node>")
  .argument("<command...>")
  .passThroughOptions()
  .action(async (node: string, argv: string[], { name }: { name: string }) => {
    const cluster = await Cluster.open(name);
    const [command, ...args] = withoutDashes(argv);
    await pass(cluster.spawnNode(node, command!, args, { stdio: "inherit" }));
  });

named(program.command("load"))
  .description("load an image into every node: an archive (OCI or Docker), or the name of an image of buildah")
  .argument("<image>")
  .action(async (image: string, { name }: { name: string }) => {
    const cluster = await Cluster.open(name);
    if (existsSync(image)) return cluster.load(image);
    const directory = await mkdtemp(path.join(tmpdir(), "ovs-traffic-control-image-"));
    try {
      const archive = path.join(directory, "image.tar");
      const pushed = await execa("buildah", ["push", image, `oci-archive:${archive}:${image}`], { reject: false });
      if (pushed.exitCode !== 0)
        throw new Error(
          `${image} is no file, and buildah cannot give it: ${pushed.stderr.trim() || pushed.originalMessage || ""}`,
        );
      await cluster.load(archive);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

/** A command may be set off by "--", also after the name of a node. */
const withoutDashes = (argv: string[]): string[] => (argv[0] === "--" ? argv.slice(1) : argv);

function count(text: string): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It is a number from 1 on.");
}

/** On Ctrl-C a half-made cluster is taken down again; one that was there before stays as it is. */
function onInterrupt(halfMade: string | undefined): void {
  const interrupted = (): void => {
    if (halfMade !== undefined) {
      console.error(`\nInterrupted: taking ${halfMade} down again…`);
      // Synchronous, so that nothing here goes on making meanwhile; in its own session, out of reach of a second Ctrl-C.
      const command = [process.execPath, ...process.execArgv, import.meta.filename, "remove-half-made", halfMade];
      spawnSync("setsid", ["--wait", ...command], { stdio: "inherit" });
    }
    process.exit(130);
  };
  process.once("SIGINT", interrupted);
  process.once("SIGTERM", interrupted);
}

/** Ends like the command that was run. */
async function pass(child: ChildProcess): Promise<void> {
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => child.kill(name));
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, name) => resolve(code ?? (name === "SIGINT" ? 130 : 143)));
  });
}

try {
  await program.parseAsync();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
