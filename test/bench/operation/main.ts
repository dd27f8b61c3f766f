/**
 * npm run bench:operation: what the operator costs those who run it. A scrape of the controller's real /metrics, over HTTP, with
 * 300 TrafficControls in force on each of 1,000 nodes (the plans are in memory; there is no cluster); whether two renders of
 * the chart differ; and on a cluster of its own the time from installing to the first mirrored packet (install.ts). Prints
 * Markdown for docs/benchmarks.md.
 */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { loadavg } from "node:os";
import path from "node:path";
import { Command } from "commander";
import { EngineMetrics, serveStatus, systemClock } from "../../../capabilities/engine";
import { ReportingMetrics } from "../../../capabilities/reporting";
import type { PlanFacts } from "../../../capabilities/planning";
import { down, up } from "../../../hack/cluster";
import { deploy } from "../../../hack/deploy";
import { cacheDirectory, helm, withLock } from "../../../hack/toolchain";
import type { TrafficControl } from "@ovs-traffic-control/api";
import { percentile } from "../e2e/statistics";
import { machine, markdown } from "../report";

const options = new Command("bench:operation")
  .description("Measures a scrape of the controller, and compares two renders of the chart.")
  .option("--traffic-controls <number>", "TrafficControls", Number, 300)
  .option("--nodes <number>", "nodes", Number, 1_000)
  .option("--runs <number>", "scrapes", Number, 20)
  .option("--installs <number>", "installations; 0 needs neither root nor a cluster", Number, 3)
  .parse()
  .opts<{ trafficControls: number; nodes: number; runs: number; installs: number }>();

const CHART = path.join(import.meta.dirname, "../../../charts/ovs-traffic-control");
const CLUSTER = "bench-operation";
const ms = (value: number): string => `${value.toFixed(0)} ms`;

const load = loadavg()[0]!;
const rows = [...(await scrapes()), await renders()];
console.log(`\n${markdown(["what", "figure"], rows)}`);
if (options.installs > 0) {
  const onWait = (holder: string): void => console.error(`Process ${holder} measures in cluster ${CLUSTER}: waiting.`);
  await withLock(path.join(cacheDirectory(), `bench-${CLUSTER}.lock`), { onWait }, installations);
}
console.log(`\n${machine(load, "npm run bench:operation")}`);

/** Inside the machine of a cluster of its own. */
async function installations(): Promise<void> {
  try {
    const cluster = await up({ name: CLUSTER, nodes: 3 });
    const { image } = await deploy(cluster);
    const program = path.join(import.meta.dirname, "install.ts");
    const args = ["--import", "tsx", program, CLUSTER, image, String(options.installs)];
    const [code] = (await once(cluster.spawnHost(process.execPath, args, { stdio: "inherit" }), "exit")) as [number];
    if (code !== 0) process.exitCode = 1;
  } finally {
    await down(CLUSTER);
  }
}

async function scrapes(): Promise<[string, string][]> {
  const engine = new EngineMetrics({ processMetrics: true, version: "0.1.0" });
  const reporting = new ReportingMetrics(engine, systemClock);
  const names = Array.from({ length: options.trafficControls }, (_, index) => `mirror-of-team-${index}`);
  const trafficControls = new Map(names.map((name) => [name, trafficControl(name)]));
  const { nodes: desiredNodes } = options;
  for (const name of names) {
    const ready = { type: "Ready", status: "True" as const, reason: "Realized", message: "", lastTransitionTime: "" };
    reporting.set(name, { selectedPods: 3_000, desiredNodes, realizedNodes: desiredNodes, conditions: [ready] });
  }
  const plans = Array.from({ length: options.nodes }, (_, index) => plan(`node-${index}`, names));
  const server = await serveStatus({
    port: 0,
    metrics: () => {
      reporting.sample(plans, trafficControls);
      return engine.registry.metrics();
    },
    healthy: () => true,
    ready: () => true,
  });
  try {
    const times: number[] = [];
    let text = "";
    for (let run = 0; run < options.runs; run++) {
      // Counters that have grown on every node, as after a minute.
      for (const { status } of plans)
        for (const rule of status.rules ?? []) Object.assign(rule, { packets: run * 10, bytes: run * 5_000 });
      const started = performance.now();
      text = await (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text();
      times.push(performance.now() - started);
    }
    const series = text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length;
    const what = `scrape of the controller, ${options.trafficControls} TrafficControls on ${options.nodes} nodes`;
    return [
      [`${what}: size`, `${(Buffer.byteLength(text) / 1024).toFixed(0)} KiB, ${series} series`],
      [`${what}: time, median`, ms(percentile(times, 50))],
      [`${what}: time, longest of ${options.runs}`, ms(Math.max(...times))],
    ];
  } finally {
    await server.close();
  }
}

/** As GitOps tools render it: no cluster to look into. */
async function renders(): Promise<[string, string]> {
  const binary = await helm();
  const render = (): string =>
    execFileSync(
      binary,
      ["template", "ovs-traffic-control", CHART, "--namespace", "ovs-traffic-control", "--kube-version", "1.36.0"],
      { encoding: "utf8" },
    );
  const [one, two] = [render(), render()];
  const lines = two.split("\n");
  const different = one.split("\n").filter((line, index) => line !== lines[index]).length;
  return ["two renders of the chart: lines that differ", `${different} of ${lines.length}`];
}

function trafficControl(name: string): TrafficControl {
  const spec = {
    appliedTo: {},
    direction: "Both",
    action: "Mirror",
    targetPort: { vxlan: { remoteIP: "10.0.10.2" } },
  } as const;
  return { metadata: { name, uid: name }, spec };
}

function plan(node: string, names: readonly string[]): PlanFacts {
  const rules = names.map((name) => ({ name, uid: name, generation: 1, realizedPods: 3, pendingPods: [] }));
  const status = { observedHash: "h", realizedPods: 3, rules, conditions: [], bridges: [] };
  return { node, uid: node, resourceVersion: "1", nodeUID: node, hash: "h", rules, retiring: [], status };
}
