/**
 * npm run demo [-- --keep]: from nothing to a decoded mirrored packet, on a real cluster, on one screen. The exit code
 * says whether everything that it is there to show was seen.
 */
import { Command } from "commander";
import { Listr } from "listr2";
import path from "node:path";
import type { Cluster } from "../cluster";
import { down, up } from "../cluster";
import { deploy } from "../deploy";
import { buildImage } from "../image";
import { cacheDirectory, checkPrerequisites, installPrerequisites, withLock } from "../toolchain";
import { Collector } from "../../test/support/e2e/collector";
import type { BridgeState } from "../../test/support/e2e/bridges";
import { screen } from "./screen";
import type { Check, Findings } from "./screen";
import { bridges, deletion, mirror, refusal, removeShow, startPods, traffic } from "./show";
import type { Cast } from "./show";

interface Options {
  keep: boolean;
  name: string;
  nodes: number;
}

interface Context {
  cluster: Cluster;
  cast: Cast;
  collector: Collector;
  before: BridgeState[];
}

const options = new Command("demo")
  .description("Shows the guide's example on a real cluster: HTTP requests, and their decoded copies at a collector.")
  .option("--keep", "leave the cluster running", false)
  .option("--name <name>", "name of the cluster", "demo")
  .option("--nodes <number>", "nodes of the cluster, at least 2", Number, 3)
  .parse()
  .opts<Options>();

const findings: Findings = { steps: [], checks: [] };
const context: Partial<Context> = {};
/** Before that, there is nothing to clean up. */
let isWorking = false;
const interruption = watchForInterruption();

const show = new Listr(
  [
    step("Prerequisites", async (report) => {
      const { installable, problems } = await checkPrerequisites(["cluster", "image", "capture"]);
      if (problems.length > 0) throw new Error(problems.join("\n"));
      await installPrerequisites(installable, report);
    }),
    step("Cluster and image", async (report) => {
      const cluster = up({ name: options.name, nodes: options.nodes, report });
      // The deployment builds the image too, if it must; here it is built while the cluster starts.
      [context.cluster] = await Promise.all([cluster, buildImage({ progress: report })]);
    }),
    step("Operator", (report) => deploy(context.cluster!, { progress: report })),
    step("Pods", async () => {
      await removeShow(context.cluster!);
      context.cast = await startPods(context.cluster!);
      context.collector = await Collector.open(context.cluster!);
      context.before = await bridges(context.cluster!);
    }),
    step("Mirror", async () => {
      findings.table = await mirror(context.cluster!);
      expect(
        "kubectl get tc shows the mirror, Ready on 2 of 2 nodes, with 2 Pods",
        / True +2\/2 +2 /.test(findings.table),
      );
    }),
    step("Requests", async () => {
      const found = await traffic(context.cluster!, context.collector!, context.cast!);
      findings.traffic = found;
      const requests = found.copies.filter(({ inner }) => inner.http === "GET /").length;
      const tunnels = found.copies.every(({ tunnel }) => tunnel?.kind === "vxlan" && tunnel.udpPort === 4789);
      expect("the collector decodes every request that the client has made", requests === found.requests);
      expect("each packet of the client has exactly one copy", isComplete(found));
      expect("the copies come in VXLAN from both nodes", tunnels && nodesOf(found) === 2);
    }),
    step("Refusal", async () => {
      const { refused, ...found } = await refusal(context.cluster!);
      findings.refusal = found;
      expect("the guide's faulty redirect example is refused, with a hint what to write", refused);
    }),
    step("Deletion", async () => {
      const found = await deletion(context.cluster!, context.collector!, context.cast!, context.before!);
      findings.deletion = found;
      expect("once kubectl delete has returned, nothing is copied any more", found.copies === 0);
      expect("every bridge is as it was before", found.differences.length === 0);
    }),
  ],
  { registerSignalListeners: false },
);

// Two demos in one cluster would count each other's packets and delete each other's objects.
const lock = path.join(cacheDirectory(), `demo-${options.name}.lock`);
const onWait = (holder: string): void =>
  void process.stdout.write(`Process ${holder} shows the demo in cluster ${options.name}: waiting for it to end.\n`);
await withLock(lock, { onWait }, perform);
process.stdout.write(screen(findings, process.stdout.columns || 120));
if (options.keep)
  process.stdout.write(`The cluster is still there: npm run cluster -- status --name ${options.name}\n`);
const success = findings.problem === undefined && findings.checks.every(({ seen }) => seen);
process.exit(interruption.signal() ? 130 : success ? 0 : 1);

async function perform(): Promise<void> {
  isWorking = true;
  try {
    await Promise.race([show.run(), interruption.happened]);
  } catch (error) {
    // The task list shows the rest. A Ctrl-C also makes the running step fail, in whatever words.
    const message = (error instanceof Error ? error.message : String(error)).split("\n")[0];
    findings.problem = interruption.signal() ?? message;
  }
  await cleanUp();
}

/** A task whose duration is noted. */
function step(
  title: string,
  act: (report: (text: string) => void) => Promise<unknown>,
): { title: string; task: (context: unknown, task: { output: string }) => Promise<void> } {
  return {
    title,
    task: async (_, task) => {
      const started = performance.now();
      try {
        await act((text) => (task.output = text));
      } finally {
        findings.steps.push({ title, seconds: (performance.now() - started) / 1000 });
      }
    },
  };
}

function expect(text: Check["text"], seen: boolean): void {
  findings.checks.push({ text, seen });
}

function isComplete({ sent, missing, surplus }: NonNullable<Findings["traffic"]>): boolean {
  return sent.length > 0 && missing.length === 0 && surplus.length === 0;
}

function nodesOf({ copies }: NonNullable<Findings["traffic"]>): number {
  return new Set(copies.map(({ tunnel }) => tunnel?.source)).size;
}

async function cleanUp(): Promise<void> {
  const started = performance.now();
  await context.collector?.close();
  if (options.keep) await (context.cluster ? removeShow(context.cluster).catch(() => undefined) : undefined);
  else await down(options.name);
  findings.steps.push({ title: "Clean-up", seconds: (performance.now() - started) / 1000 });
}

/** The first Ctrl-C rejects `happened`, so that the demo cleans up; a second one ends it at once. */
function watchForInterruption(): { happened: Promise<never>; signal: () => string | undefined } {
  let seen: string | undefined;
  let at = 0;
  const happened = new Promise<never>((_, reject) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(signal, () => {
        // npm passes a Ctrl-C on that the terminal has sent to everybody anyway.
        if (!isWorking || (seen !== undefined && performance.now() - at > 500)) process.exit(130);
        if (seen !== undefined) return;
        seen = signal;
        at = performance.now();
        reject(new Error(signal));
      });
    }
  });
  happened.catch(() => undefined); // It may come while nobody awaits it any more.
  return { happened, signal: () => seen };
}
