/**
 * The e2e suites, one per network: a cluster of its own, the operator deployed as a user does it, Mocha inside the cluster's
 * machine, and everything taken down again, however it ends. Called by suites.ts.
 */
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { Cluster, down, type NetworkName, up } from "../cluster";
import { deploy } from "../deploy";
import { cacheDirectory, kwok, testTools, withLock } from "../toolchain";
import { ended } from "./child";
import type { Context } from "./context";
import { mocha } from "./mocha";
import type { Report } from "./report";
import { oneFailed } from "./tally";

/** One name for every run: a run that was killed leaves at most this cluster, and the next one begins by removing it. */
const NAME = "gate";
const NODES = 3;

/** Of the suite on OVN, what `npm test` has the time for: the network, a mirror and a redirect. */
export const SHORT_ON_OVN = ["the cluster's network", "mirror-web-app", "a Redirect through a wire"];

const root = path.join(import.meta.dirname, "../..");

export async function e2e(context: Context, network: NetworkName): Promise<Report> {
  // Only the long suite needs it; where the tests run, it cannot be built.
  if (context.long && network === "ovs") await kwok(context.print);
  if (context.cluster !== undefined) {
    await testTools(context.long, context.print);
    return runTests(await Cluster.open(context.cluster), context);
  }
  await context.preparation(network === "ovs" ? "e2e" : "e2e-ovn");
  // What npm test needs has been built; the rest takes minutes once.
  if (context.long) await testTools(true, context.print);
  const onWait = (holder: string): void =>
    context.print(`Process ${holder} is running end-to-end tests on this machine: waiting for it.`);
  return withLock(path.join(cacheDirectory(), "gate.lock"), { onWait }, () => onOwnCluster(context, network));
}

async function onOwnCluster(context: Context, network: NetworkName): Promise<Report> {
  const { print, signal, whole } = context;
  const grep = context.grep ?? (network === "ovn" && !whole ? `^(${SHORT_ON_OVN.join("|")})` : undefined);
  const progress = (text: string): void => print(`  [e2e] ${text}`);
  const timed = async <T>(what: string, act: () => Promise<T>): Promise<T> => {
    const started = performance.now();
    try {
      return await act();
    } finally {
      progress(`${what}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
    }
  };
  await down(NAME);
  try {
    const cluster = await timed("cluster up", () => up({ name: NAME, nodes: NODES, network }));
    if (signal.aborted) return { tally: oneFailed, crash: "was interrupted" };
    return await timed("operator and tests", () => deployAndTest(cluster, { ...context, grep }, progress));
  } finally {
    await timed("cluster down", () => down(NAME));
  }
}

async function deployAndTest(cluster: Cluster, context: Context, progress: (text: string) => void): Promise<Report> {
  let succeeded = false;
  try {
    await unlessInterrupted(context.signal, deploy(cluster, { progress }));
    const report = await runTests(cluster, context);
    succeeded = report.tally.failed === 0;
    return report;
  } finally {
    if (!succeeded && !context.signal.aborted) await keepEvidence(cluster, context.print);
  }
}

/** A deployment cannot be told to stop; the cluster that is taken down under it ends it. */
async function unlessInterrupted(signal: AbortSignal, work: Promise<unknown>): Promise<void> {
  const interruption = new Promise<never>((_, reject) => {
    const stop = (): void => reject(new Error("The deployment was interrupted."));
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
  interruption.catch(() => undefined);
  work.catch(() => undefined);
  await Promise.race([work, interruption]);
}

function runTests(cluster: Cluster, { signal, grep, long }: Context): Promise<Report> {
  const env = { CLUSTER_NAME: cluster.name, ...(long ? { LONG: "1" } : {}) };
  return mocha("test/e2e/.mocharc.json", grep, (args) => {
    const stdio = ["ignore", "inherit", "inherit"] as const;
    return ended(cluster.spawnHost(process.execPath, args, { stdio: [...stdio], env, detached: true }), signal, true);
  });
}

/** What somebody who sees a failure wants to look at, before the cluster is gone. Kept in reports. */
async function keepEvidence(cluster: Cluster, print: (line: string) => void): Promise<void> {
  const folder = path.join(root, "reports", cluster.network === "ovs" ? "e2e" : "e2e-ovn");
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const keep = async (file: string, args: string[]): Promise<void> => {
    const { stdout, stderr } = await cluster.host("kubectl", args, { timeout: 20_000 });
    await writeFile(path.join(folder, file), stdout + stderr);
  };
  await keep("pods.txt", ["get", "pods,jobs", "--all-namespaces", "--output", "wide"]);
  await keep("events.txt", ["get", "events", "--all-namespaces", "--sort-by", ".lastTimestamp"]);
  await keep("objects.yaml", ["get", "trafficcontrols,nodetrafficplans", "--output", "yaml"]);
  for (const namespace of ["ovs-traffic-control", "ovs-traffic-control-nodes"]) {
    const pods = await cluster.host("kubectl", ["get", "pods", "--namespace", namespace, "--output", "name"]);
    for (const pod of pods.stdout.split("\n").filter((name) => name !== ""))
      await keep(`${pod.replace("pod/", "")}.log`, ["logs", "--namespace", namespace, pod, "--tail", "2000"]);
  }
  print(`What the cluster looked like at the end is in ${path.relative(process.cwd(), folder)}.`);
}
