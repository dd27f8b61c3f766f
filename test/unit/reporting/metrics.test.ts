/** The metrics of both processes as Prometheus reads them, and their reference page. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { AdmissionMetrics } from "../../../capabilities/admission/metrics";
import { NODE_TRAFFIC_PLAN, TRAFFIC_CONTROL } from "../../../capabilities/api";
import { EngineMetrics } from "../../../capabilities/engine";
import { FakeCluster } from "../controller/fake-cluster";

interface Family {
  type: string;
  help: string;
  labels: Set<string>;
  samples: number;
}

/** The text format, by family. */
function families(text: string): Map<string, Family> {
  const found = new Map<string, Family>();
  const of = (name: string): Family => {
    const base = found.has(name) ? name : name.replace(/_(bucket|sum|count)$/, "");
    let family = found.get(base);
    if (family === undefined) found.set(base, (family = { type: "", help: "", labels: new Set(), samples: 0 }));
    return family;
  };
  for (const line of text.split("\n")) {
    const [, keyword, name = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (keyword === "HELP") of(name).help = rest;
    if (keyword === "TYPE") of(name).type = rest;
    const sample = /^([a-z_]+)(?:\{(.*)\})? \S+$/.exec(line);
    if (sample === null) continue;
    const family = of(sample[1]!);
    family.samples += 1;
    for (const [, label] of (sample[2] ?? "").matchAll(/(\w+)="/g)) if (label !== "le") family.labels.add(label!);
  }
  return found;
}

const isOurs = (name: string): boolean => !/^(nodejs|process)_/.test(name);
const lines = (text: string, name: string): string[] => text.split("\n").filter((line) => line.startsWith(name));

async function controllerMetrics(act: (cluster: FakeCluster) => Promise<void>): Promise<string> {
  const cluster = new FakeCluster();
  cluster.addNode("node-1");
  cluster.addPod("web", "node-1");
  const { controller } = await cluster.start();
  await cluster.clock.advance(1_000);
  await act(cluster);
  return controller.metrics();
}

describe("metrics of the controller", function () {
  this.timeout(30_000);

  it("have every series that does not belong to one TrafficControl from the start", async () => {
    const text = await controllerMetrics(() => Promise.resolve());
    const missing = [...families(text)].filter(([name, { samples }]) => isOurs(name) && samples === 0);
    const perTrafficControl = missing.map(([name]) => name).filter((name) => !name.startsWith("trafficcontrol_"));
    // The fake API server is asked without HTTP: nobody counts requests.
    assert.deepEqual(perTrafficControl, ["rest_client_requests_total"]);
    for (const result of ["done", "badPlan", "podsPending", "ovsUnreachable", "bug", "superseded", "lost"])
      assert.ok(text.includes(`trafficcontrol_node_jobs_total{result="${result}"} 0`), result);
    for (const name of ["node", "trafficcontrol"])
      assert.ok(text.includes(`workqueue_queue_duration_seconds_count{name="${name}"}`), name);
  });

  it("say what a TrafficControl's status says, and forget it when it goes", async () => {
    let during = "";
    const after = await controllerMetrics(async (cluster) => {
      cluster.addTrafficControl("tap");
      await cluster.clock.advance(5_000);
      during = await cluster.lastController().metrics();
      cluster.remove(TRAFFIC_CONTROL, "tap");
      await cluster.clock.advance(10_000);
    });
    for (const line of [
      'trafficcontrol_selected_pods{name="tap"} 1',
      'trafficcontrol_desired_nodes{name="tap"} 1',
      'trafficcontrol_realized_nodes{name="tap"} 1',
      'trafficcontrol_ready{name="tap"} 1',
      'trafficcontrol_since_full_realization_seconds{name="tap"} 0',
      'trafficcontrol_mirrored_packets_total{name="tap"} 0',
      'trafficcontrol_redirected_bytes_total{name="tap"} 0',
    ])
      assert.ok(during.split("\n").includes(line), line);
    assert.ok(!after.includes('name="tap"'), lines(after, "trafficcontrol_").join("\n"));
  });

  it("count the seconds since a TrafficControl was realized everywhere", async () => {
    const text = await controllerMetrics(async (cluster) => {
      cluster.behaviour.silent.add("node-1");
      cluster.addTrafficControl("tap");
      await cluster.clock.advance(61_000);
    });
    const [line = ""] = lines(text, "trafficcontrol_since_full_realization_seconds");
    const seconds = Number(line.split(" ")[1]);
    assert.ok(seconds >= 59 && seconds <= 61, line);
  });

  it("add up what the nodes report, whatever was there before and when a node begins anew", async () => {
    const carried: string[] = [];
    await controllerMetrics(async (cluster) => {
      cluster.addTrafficControl("tap");
      await cluster.clock.advance(5_000);
      const controller = cluster.lastController();
      const report = async (packets: number): Promise<void> => {
        const plan = cluster.plan("node-1")!;
        const rules = plan.status!.rules!.map((rule) => ({ ...rule, packets, bytes: packets * 100 }));
        cluster.server.put(
          { resource: NODE_TRAFFIC_PLAN, name: "node-1" },
          { status: { ...plan.status, rules } as Record<string, unknown> },
        );
        await cluster.clock.advance(100);
        carried.push(lines(await controller.metrics(), "trafficcontrol_mirrored_packets_total")[0]!.split(" ")[1]!);
      };
      for (const packets of [10, 25, 5, 5]) await report(packets);
    });
    assert.deepEqual(carried, ["10", "25", "30", "30"]);
  });
});

describe("drift that was repaired", function () {
  this.timeout(30_000);

  it("is added up from what the nodes report; what was there before, and a report of nothing else, counts and wakes nothing", async () => {
    const cluster = new FakeCluster();
    cluster.addNode("node-1");
    cluster.addPod("web", "node-1");
    cluster.addTrafficControl("tap");
    const first = await cluster.start("first");
    await cluster.clock.advance(30_000);
    const report = async (repairs: number): Promise<void> => {
      const status = { ...cluster.plan("node-1")!.status, repairs } as Record<string, unknown>;
      cluster.server.put({ resource: NODE_TRAFFIC_PLAN, name: "node-1" }, { status });
      await cluster.clock.advance(2_000);
    };
    const repaired = async (): Promise<string[]> =>
      lines(await cluster.lastController().metrics(), "trafficcontrol_drift_repaired_total");
    assert.deepEqual(await repaired(), ["trafficcontrol_drift_repaired_total 0"]);
    const before = cluster.server.writes.filter(({ path }) => !path.includes("/leases/")).length;
    await report(3);
    assert.deepEqual(await repaired(), ["trafficcontrol_drift_repaired_total 3"]);
    assert.equal(cluster.server.writes.filter(({ path }) => !path.includes("/leases/")).length, before);
    first.kill();
    await cluster.start("second");
    await cluster.clock.advance(30_000);
    assert.deepEqual(await repaired(), ["trafficcontrol_drift_repaired_total 0"]);
    await report(4);
    assert.deepEqual(await repaired(), ["trafficcontrol_drift_repaired_total 1"]);
  });
});

describe("the reference page of the metrics", () => {
  it("has every metric with its type and labels, and no other", async function () {
    this.timeout(30_000);
    const controller = await controllerMetrics(async (cluster) => {
      cluster.addTrafficControl("tap");
      await cluster.clock.advance(5_000);
    });
    const admission = new EngineMetrics();
    new AdmissionMetrics(admission).observe("mutate", "allowed", 0.001);
    admission.initialiseRequests("host");
    // The controller last: it has series of the families that both have.
    const all = new Map([...families(await admission.registry.metrics()), ...families(controller)]);
    all.set(
      "rest_client_requests_total",
      families(await admission.registry.metrics()).get("rest_client_requests_total")!,
    );
    const real = [...all]
      .filter(([name]) => isOurs(name))
      .map(([name, { type, labels }]) => `${name} ${type} ${[...labels].sort().join(",")}`.trim());
    const page = readFileSync(path.join(import.meta.dirname, "../../../docs/reference/metrics.md"), "utf8");
    const documented = [...page.matchAll(/^\| `([a-z_]+)` *\| (\w+) *\| ([^|]*)\|/gm)].map(([, name, type, labels]) =>
      `${name!} ${type!} ${[...labels!.matchAll(/`(\w+)`/g)]
        .map(([, label]) => label!)
        .sort()
        .join(",")}`.trim(),
    );
    assert.deepEqual(documented.sort(), real.sort());
  });
});
