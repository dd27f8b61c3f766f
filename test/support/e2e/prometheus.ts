/**
 * A real Prometheus beside the cluster, with the alerts that helm renders. It is told the operator's Pods once: Debian builds
 * it without the discovery of Kubernetes' objects. Used by test/e2e/prometheus.test.ts.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { ChildProcess } from "node:child_process";
import type { Cluster } from "../../../hack/cluster";
import { eventually } from "./eventually";

const PORT = 19_090;
const NAMESPACE = "ovs-traffic-control";

export interface Alert {
  labels: Record<string, string>;
  state: "pending" | "firing";
}

export interface Sample {
  metric: Record<string, string>;
  value: [number, string];
}

export class Prometheus {
  private constructor(
    private readonly process: ChildProcess,
    private readonly directory: string,
  ) {}

  /** @param rules content of a rule file */
  static async start(cluster: Cluster, rules: string): Promise<Prometheus> {
    const directory = await mkdtemp(path.join(tmpdir(), "prometheus-"));
    const file = (name: string): string => path.join(directory, name);
    await writeFile(file("rules.yaml"), rules);
    await writeFile(file("prometheus.yaml"), JSON.stringify(configuration(await targets(cluster), file("rules.yaml"))));
    const args = [
      `--config.file=${file("prometheus.yaml")}`,
      `--storage.tsdb.path=${file("data")}`,
      `--web.listen-address=127.0.0.1:${PORT}`,
      "--log.level=error",
    ];
    const child = cluster.spawnHost("prometheus", args, { stdio: ["ignore", "ignore", "inherit"] });
    const prometheus = new Prometheus(child, directory);
    try {
      await eventually("Prometheus is ready", () => prometheus.get("/-/ready"), { seconds: 60 });
      return prometheus;
    } catch (error) {
      await prometheus.stop();
      throw error;
    }
  }

  async query(expression: string): Promise<Sample[]> {
    const answer = await this.get(`/api/v1/query?query=${encodeURIComponent(expression)}`);
    return (JSON.parse(answer) as { data: { result: Sample[] } }).data.result;
  }

  async alerts(): Promise<Alert[]> {
    return (JSON.parse(await this.get("/api/v1/alerts")) as { data: { alerts: Alert[] } }).data.alerts;
  }

  /** The tests run in the cluster's machine, as Prometheus does. */
  private async get(url: string): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${PORT}${url}`);
    if (!response.ok) throw new Error(`Prometheus answers ${url} with ${response.status}: ${await response.text()}`);
    return response.text();
  }

  async stop(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const ended = new Promise((resolve) => this.process.once("close", resolve));
      this.process.kill();
      await ended;
    }
    await rm(this.directory, { recursive: true, force: true });
  }
}

interface ListedPod {
  metadata: { name: string };
  status: { podIP?: string };
}

async function targets(cluster: Cluster): Promise<unknown[]> {
  const select = ["--selector", "app.kubernetes.io/component in (admission,controller)", "-o", "json"];
  const answer = await cluster.kubectl(["get", "pods", "--namespace", NAMESPACE, ...select]);
  const { items } = JSON.parse(answer) as { items: ListedPod[] };
  return items.map(({ metadata, status }) => ({ targets: [`${status.podIP}:8080`], labels: { pod: metadata.name } }));
}

function configuration(pods: unknown[], rules: string): unknown {
  return {
    global: { scrape_interval: "1s", evaluation_interval: "1s" },
    rule_files: [rules],
    scrape_configs: [{ job_name: "ovs-traffic-control", static_configs: pods }],
  };
}
