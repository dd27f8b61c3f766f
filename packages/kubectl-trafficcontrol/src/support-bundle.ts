/**
 * `support-bundle`: what somebody needs who shall find a fault from afar, as one tar.gz. Reads no Secret, no ConfigMap and no Pod
 * but the operator's. What is to be read is a list; what cannot be read is named in it. Called by main.ts.
 */
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { stringify } from "yaml";
import type { Installation } from "./installation";
import { Failure, PLANS, TRAFFIC_CONTROLS, type Kubectl } from "./kubectl";

/** One file of the bundle and the kubectl command whose answer it holds. */
export interface Item {
  file: string;
  args: string[];
}

export interface OperatorPod {
  namespace: string;
  name: string;
  component: string;
}

const OURS = "app.kubernetes.io/name=ovs-traffic-control";
const LOG_LINES = "20000";
const METRICS_PORT = 8080;

/** Everything but what depends on which Pods there are. Pure. */
export function items({ namespace, nodesNamespace }: Installation): Item[] {
  const all = (file: string, resource: string, ...more: string[]): Item => ({
    file: `${file}.yaml`,
    args: ["get", resource, "-o", "json", ...more],
  });
  const inNamespace = (place: string): Item[] => [
    all(`${place}/workloads`, "deployments,jobs,pods,services,endpointslices,poddisruptionbudgets", "-n", place),
    all(`${place}/leases`, "leases", "-n", place),
    { file: `${place}/events.txt`, args: ["events", "-n", place] },
  ];
  return [
    { file: "version.yaml", args: ["version", "-o", "yaml"] },
    all("trafficcontrols", TRAFFIC_CONTROLS),
    all("nodetrafficplans", PLANS),
    all("nodes", "nodes"),
    all("namespaces", "namespaces"),
    // Events of cluster-scoped objects are in the Namespace default.
    {
      file: "events-of-trafficcontrols.txt",
      args: ["get", "events", "-n", "default", "--field-selector", "involvedObject.kind=TrafficControl"],
    },
    all("webhooks", "validatingwebhookconfigurations,mutatingwebhookconfigurations", "-l", OURS),
    all("policies", "validatingadmissionpolicies,validatingadmissionpolicybindings", "-l", OURS),
    all("crds", "customresourcedefinitions", "-l", OURS),
    ...[...new Set([namespace, nodesNamespace])].flatMap(inNamespace),
  ];
}

/** Logs, those before the last restart included, and metrics. Pure. */
export function itemsOfPod({ namespace, name, component }: OperatorPod): Item[] {
  const logs = ["logs", name, "-n", namespace, "--all-containers", "--timestamps", `--tail=${LOG_LINES}`];
  const metrics = `/api/v1/namespaces/${namespace}/pods/${name}:${METRICS_PORT}/proxy/metrics`;
  return [
    { file: `${namespace}/logs/${name}.log`, args: logs },
    { file: `${namespace}/logs/${name}.previous.log`, args: [...logs, "--previous"] },
    ...(component === "node-programmer"
      ? []
      : [{ file: `${namespace}/metrics/${name}.txt`, args: ["get", "--raw", metrics] }]),
  ];
}

/** Objects without what is long and says nothing, and without the copy of the manifest that kubectl keeps. Pure. */
export function cleaned(json: string): string {
  const drop = new Set(["managedFields", "kubectl.kubernetes.io/last-applied-configuration"]);
  const value = JSON.parse(json, (key, each: unknown) => (drop.has(key) ? undefined : each)) as unknown;
  return stringify(value);
}

export interface Bundle {
  file: string;
  contents: string[];
  /** What could not be read, and kubectl's words about it. */
  missing: string[];
}

/** Writes `file`; its folder must exist. */
export async function supportBundle(kubectl: Kubectl, installation: Installation, file: string): Promise<Bundle> {
  const directory = await mkdtemp(path.join(tmpdir(), "trafficcontrol-bundle-"));
  const name = path.basename(file).replace(/\.tar\.gz$|\.tgz$/, "");
  const contents: string[] = [];
  const missing: string[] = [];
  const write = async (item: string, text: string): Promise<void> => {
    const target = path.join(directory, name, item);
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, text);
    contents.push(item);
  };
  const read = async ({ file: item, args }: Item): Promise<void> => {
    const { exitCode, stdout, stderr } = await kubectl.ask(args);
    // That a container has not been started twice is no gap.
    if (exitCode !== 0 && item.endsWith(".previous.log")) return;
    if (exitCode !== 0) missing.push(`${item}: ${stderr.trim()}`);
    else await write(item, item.endsWith(".yaml") && args.includes("json") ? cleaned(stdout) : stdout);
  };
  try {
    const pods = await operatorPods(kubectl, installation);
    for (const item of [...items(installation), ...pods.flatMap(itemsOfPod)]) await read(item);
    if (missing.length > 0) await write("missing.txt", `${missing.join("\n")}\n`);
    await tar(directory, name, path.resolve(file));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  return { file, contents: contents.sort(), missing };
}

async function operatorPods(kubectl: Kubectl, { namespace, nodesNamespace }: Installation): Promise<OperatorPod[]> {
  interface Found {
    metadata: { namespace: string; name: string; labels?: Record<string, string> };
  }
  const of = async (place: string): Promise<OperatorPod[]> => {
    const { exitCode, stdout } = await kubectl.ask(["get", "pods", "-n", place, "-o", "json"]);
    const found = exitCode === 0 ? (JSON.parse(stdout) as { items: Found[] }).items : [];
    return found.map(({ metadata }) => {
      const component = metadata.labels?.["app.kubernetes.io/component"] ?? "";
      return { namespace: metadata.namespace, name: metadata.name, component };
    });
  };
  return (await Promise.all([...new Set([namespace, nodesNamespace])].map(of))).flat();
}

async function tar(directory: string, name: string, file: string): Promise<void> {
  const child = spawn("tar", ["-czf", file, "-C", directory, name], { stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", (error) => reject(new Failure(`tar cannot be started: ${error.message}`)));
    child.once("close", resolve);
  });
  if (code !== 0) throw new Failure(`${file} cannot be written: ${stderr.trim()}`);
}
