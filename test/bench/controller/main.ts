/**
 * npm run bench:controller [-- --pods 100000 --selectors 5000 --nodes 1000]: the whole controller, through its real informers and HTTP,
 * against a stand-in API server; and the selection index beside naive matching. Prints Markdown for docs/benchmarks.md.
 */
import { Command } from "commander";
import { cpus, loadavg, totalmem } from "node:os";
import {
  EngineMetrics,
  Informer,
  KubernetesClient,
  logger,
  RESOURCES,
  systemClock,
} from "../../../capabilities/engine";
import { podFacts, type PodFacts, type RawPod } from "../../../capabilities/selection";
import { percentile } from "../e2e/statistics";
import { Fleet, JOBS_PER_SECOND } from "./fleet";
import { measureIndex } from "./index-vs-naive";
import { Population } from "./population";
import { Stalls } from "./stalls";
import { TRAFFIC_CONTROLS } from "./stand-in";

interface Options {
  pods: number;
  selectors: number;
  nodes: number;
  namespaces: number;
  seconds: number;
  naive: boolean;
}

const options = new Command("bench:controller")
  .description("Measures the controller at scale.")
  .option("--pods <number>", "Pods", Number, 100_000)
  .option("--selectors <number>", "TrafficControls", Number, 5_000)
  .option("--nodes <number>", "nodes", Number, 1_000)
  .option("--namespaces <number>", "Namespaces", Number, 2_000)
  .option("--seconds <number>", "how long Pods change at 200 a second, and how long the rest is watched", Number, 20)
  .option("--no-naive", "without naive matching, which takes half a minute")
  .parse()
  .opts<Options>();

const EVENTS_PER_SECOND = 200;
const BIG_NAMESPACE_PODS = 5_000;
const rows: [string, string][] = [];
const row = (what: string, figure: string): void => {
  rows.push([what, figure]);
  console.error(`${what}: ${figure}`);
};
const load = loadavg()[0]!;
await controller();
if (options.naive) index();
print();
process.exit();

async function controller(): Promise<void> {
  const { pods, nodes, seconds } = options;
  const fleet = await Fleet.start(options);
  const population = new Population({ ...options, pods: pods + BIG_NAMESPACE_PODS });
  try {
    await podsAlone(fleet);
    // The benchmark's own memory is in the process, too: what is there before the controller is not the controller's.
    const before = heap();
    const stalls = new Stalls();
    const started = performance.now();
    const cpuBefore = process.cpuUsage();
    const running = await fleet.startController();
    while (!running.ready()) await sleep(20);
    const synced = performance.now() - started;
    const whileListing = stall(stalls);
    await fleet.untilPlanned(nodes);
    row("start: CPU until all plans were written", share(process.cpuUsage(cpuBefore), performance.now() - started));
    row("start: replicas complete", ms(synced));
    row("start: all plans written", ms(performance.now() - started));
    row("longest stall of the event loop while listing", whileListing);
    row("longest stall until all plans were written", stall(stalls));
    await settled(fleet);
    const settledAfter = performance.now() - started;
    row("start: everything settled, statuses and Jobs too", ms(settledAfter));
    const jobs = (await fleet.requests())["POST jobs"] ?? 0;
    row(
      `Jobs made, at most ${JOBS_PER_SECOND} a second`,
      `${jobs}, ${((jobs * 1000) / settledAfter).toFixed(1)} a second`,
    );
    row("longest stall until then", stall(stalls));
    row("heap of the controller", mb(heap() - before));
    row("resident memory of the process, benchmark included", mb(process.memoryUsage().rss));
    await events(fleet, population, stalls);
    await bigNamespace(fleet, population, stalls);
    stalls.stop();
    const atRest = await fleet.requests();
    const cpu = process.cpuUsage();
    await sleep(seconds * 1000);
    const used = process.cpuUsage(cpu);
    row("at rest: CPU", `${(((used.user + used.system) / 1e6 / seconds) * 100).toFixed(1)} %`);
    row("at rest: writes, the Lease apart", String(writes(await fleet.requests()) - writes(atRest)));
    row("heap of the controller at the end", mb(heap() - before));
    row("most memory that the process has had resident, benchmark included", mb(process.resourceUsage().maxRSS * 1024));
  } finally {
    await fleet.stop();
  }
}

/** The informer of Pods by itself: what it keeps, and whether it lets others have their turn. */
async function podsAlone(fleet: Fleet): Promise<void> {
  const metrics = new EngineMetrics();
  const before = heap();
  const stalls = new Stalls();
  const cpu = process.cpuUsage();
  const started = performance.now();
  const informer = new Informer<RawPod, PodFacts>({
    api: new KubernetesClient({ connection: fleet.connect(), metrics }),
    path: { resource: RESOURCES.pods },
    project: podFacts,
    onChange: () => undefined,
    clock: systemClock,
    log: logger("bench"),
  });
  informer.start();
  await informer.synced;
  row(`informer alone: ${informer.size} Pods listed`, ms(performance.now() - started));
  row("the same: CPU", share(process.cpuUsage(cpu), performance.now() - started));
  row("the same: longest stall", stall(stalls));
  stalls.stop();
  row("the same: heap", mb(heap() - before));
  await informer.stop();
}

/** Pods replaced at 200 a second, as by rolling updates: event → plan that has the new Pod. */
async function events(fleet: Fleet, population: Population, stalls: Stalls): Promise<void> {
  const count = options.seconds * EVENTS_PER_SECOND;
  const before = await fleet.requests();
  const from = fleet.plans.length;
  const cpu = process.cpuUsage();
  stalls.take();
  const started = Date.now();
  const sent = new Map<string, number>();
  for (let i = 0; i < count; i++) {
    const due = started + (i * 1000) / EVENTS_PER_SECOND;
    if (due > Date.now()) await sleep(due - Date.now());
    const uid = `event-${i}`;
    sent.set(uid, Date.now());
    fleet.putPod(population, (i * 37) % options.pods, { uid });
  }
  await settled(fleet);
  const used = process.cpuUsage(cpu);
  const latencies: number[] = [];
  for (const { uids, at } of fleet.plans.slice(from))
    for (const uid of uids) {
      const at0 = sent.get(uid);
      if (at0 !== undefined) latencies.push(at - at0);
      sent.delete(uid);
    }
  row(`Pod event → plan written, at ${EVENTS_PER_SECOND} a second: median`, ms(percentile(latencies, 50)));
  row("the same: p99", ms(percentile(latencies, 99)));
  row("the same: Pods that nothing selects", String(sent.size));
  row(
    "the same: CPU per event until all is settled, benchmark included",
    `${((used.user + used.system) / 1e3 / count).toFixed(1)} ms`,
  );
  row("the same: longest stall", stall(stalls));
  const after = await fleet.requests();
  row("the same: writes per event", ((writes(after) - writes(before)) / count).toFixed(2));
  row("the same: requests per event, the Lease's included", ((all(after) - all(before)) / count).toFixed(2));
}

/** One Namespace with 5,000 Pods on all nodes: relabelled, then tapped by a new TrafficControl. */
async function bigNamespace(fleet: Fleet, population: Population, stalls: Stalls): Promise<void> {
  const { nodes, pods } = options;
  const namespace = (labels: Record<string, string>): Promise<void> =>
    fleet.put("/api/v1/namespaces", { metadata: { name: "big", uid: "big", labels } });
  await namespace({});
  for (let i = 0; i < BIG_NAMESPACE_PODS; i++) fleet.putPod(population, pods + i, { namespace: "big" });
  const tap = (name: string, namespaceSelector: object): Promise<void> =>
    fleet.put(TRAFFIC_CONTROLS, {
      metadata: { name, uid: name, finalizers: ["ovs-traffic-control.dev/untap"] },
      spec: {
        appliedTo: { namespaceSelector },
        direction: "Both",
        action: "Mirror",
        targetPort: { ovsInternal: { name: "tap0" } },
      },
    });
  await tap("relabelled", { matchLabels: { tapped: "yes" } });
  await settled(fleet);
  const measure = async (what: string, act: () => Promise<void>): Promise<void> => {
    const from = fleet.plans.length;
    const started = performance.now();
    const cpu = process.cpuUsage();
    stalls.take();
    await act();
    await fleet.untilPlanned(Math.min(nodes, BIG_NAMESPACE_PODS), from);
    row(what, ms(performance.now() - started));
    row("the same: CPU", share(process.cpuUsage(cpu), performance.now() - started));
    row("the same: longest stall", stall(stalls));
    await settled(fleet);
  };
  await measure(`Namespace with ${BIG_NAMESPACE_PODS} Pods relabelled → all ${nodes} plans written`, () =>
    namespace({ tapped: "yes" }),
  );
  await measure(`TrafficControl created → all ${nodes} plans written`, () => tap("everything", {}));
}

function index(): void {
  const { naive, index, pairs, heap } = measureIndex(new Population(options));
  const times = (factor: number): string => `${factor.toFixed(0)} times faster`;
  row(`naive: ${options.pods} Pods × ${options.selectors} selectors, ${pairs} pairs`, ms(naive.everything));
  row(
    "index: the same, selectors first",
    `${ms(index.selectorsFirst)}, ${times(naive.everything / index.selectorsFirst)}`,
  );
  row("index: the same, Pods first", `${ms(index.podsFirst)}, ${times(naive.everything / index.podsFirst)}`);
  row("naive: a Pod event", `${naive.podEvent.toFixed(0)} µs`);
  row("index: a Pod event", `${index.podEvent.toFixed(0)} µs, ${times(naive.podEvent / index.podEvent)}`);
  row("index: a selector with a label key that nobody has mentioned, on every Pod", ms(index.newKey));
  row("index: heap beside the Pods", mb(heap));
}

/** Waits until nothing has been written for two seconds. */
async function settled(fleet: Fleet): Promise<void> {
  for (let before = -1, now = writes(await fleet.requests()); now !== before; now = writes(await fleet.requests())) {
    before = now;
    await sleep(2_000);
  }
}

function writes(requests: Record<string, number>): number {
  return Object.entries(requests).reduce(
    (sum, [kind, count]) => (kind.startsWith("GET") || kind.endsWith("leases") ? sum : sum + count),
    0,
  );
}

function print(): void {
  const width = Math.max(...rows.map(([what]) => what.length));
  const lines = [["what", "figure"] as const, ["-".repeat(width), "------"] as const, ...rows];
  const [cpu] = cpus();
  console.log(lines.map(([what, figure]) => `| ${what.padEnd(width)} | ${figure} |`).join("\n"));
  console.log(
    `\n${cpus().length} × ${cpu?.model ?? "?"}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}; load average ${load.toFixed(1)} at the start.`,
  );
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function all(requests: Record<string, number>): number {
  return Object.values(requests).reduce((sum, count) => sum + count, 0);
}

/** Seconds of CPU, which a busy machine does not stretch as it does the time that passes, and its share. */
function share({ user, system }: NodeJS.CpuUsage, milliseconds: number): string {
  const seconds = (user + system) / 1e6;
  return `${seconds.toFixed(1)} s, ${((seconds * 100_000) / milliseconds).toFixed(0)} % of a core`;
}

function stall(stalls: Stalls): string {
  const { passed, cpu } = stalls.take();
  return `${cpu.toFixed(0)} ms of CPU, ${passed.toFixed(0)} ms passed`;
}

function ms(milliseconds: number): string {
  return milliseconds >= 10_000 ? `${(milliseconds / 1000).toFixed(1)} s` : `${milliseconds.toFixed(0)} ms`;
}

function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

function heap(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}
