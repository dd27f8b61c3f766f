/**
 * Builds the image, loads it into the nodes and installs the chart, as a user would: with helm. Returns once TrafficControls
 * can be created. Called by the demo, the end-to-end tests and the benchmarks.
 */
import type { Cluster } from "../cluster/index";
import { buildImage } from "../image";
import type { Progress } from "../toolchain";
import { helm } from "./helm";
import { CHART, DEPLOYMENTS, NAMESPACE, RELEASE } from "./names";
import { webhookAnswers } from "./webhook";

export interface DeployOptions {
  /** Values of the chart, by path: { "programmer.lingerSeconds": 5 }. */
  values?: Record<string, string | number | boolean>;
  /** How long the Deployments may take to become ready. */
  timeoutSeconds?: number;
  progress?: Progress;
}

export interface Deployment {
  namespace: string;
  /** Name of the image that runs. */
  image: string;
}

export async function deploy(cluster: Cluster, options: DeployOptions = {}): Promise<Deployment> {
  const { values = {}, timeoutSeconds = 120, progress = () => undefined } = options;
  const { archive, reference } = await buildImage({ progress });
  if (!(await everyNodeHas(cluster, reference))) {
    progress(`Loading the image into ${cluster.nodes.join(", ")}`);
    await cluster.load(archive);
  }
  progress("Installing the chart");
  await makeNamespace(cluster);
  await install(cluster, reference, values, progress);
  await ready(cluster, timeoutSeconds, progress);
  progress("Waiting for the webhooks to answer");
  await webhookAnswers(cluster, timeoutSeconds);
  return { namespace: NAMESPACE, image: reference };
}

/** The image's name is a hash of its content: the same name is the same image. */
async function everyNodeHas(cluster: Cluster, reference: string): Promise<boolean> {
  const ask = ["images", "ls", "--quiet", `name==${reference}`];
  const answers = await Promise.all(cluster.nodes.map((node) => cluster.exec(node, "ctr", ask)));
  return answers.every(({ stdout }) => stdout.trim() === reference);
}

/** The release's namespace is not the chart's: helm cannot install into a namespace that it makes itself and label it. */
async function makeNamespace(cluster: Cluster): Promise<void> {
  const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE, labels } };
  await cluster.kubectl(["apply", "--server-side", "-f", "-"], { input: JSON.stringify(namespace) });
}

async function install(
  cluster: Cluster,
  reference: string,
  values: NonNullable<DeployOptions["values"]>,
  progress: Progress,
): Promise<void> {
  const separator = reference.lastIndexOf(":");
  const all = {
    "image.repository": reference.slice(0, separator),
    "image.tag": reference.slice(separator + 1),
    // Loaded, not pulled: a missing image is an error, not a reason to look for a registry.
    "image.pullPolicy": "Never",
    ...values,
  };
  const set = Object.entries(all).flatMap(([name, value]) => ["--set-json", `${name}=${JSON.stringify(value)}`]);
  await helm(cluster, ["upgrade", "--install", RELEASE, CHART, "--namespace", NAMESPACE, ...set], progress);
}

/** `helm --wait` looks every two seconds; this is told when it happens. */
async function ready(cluster: Cluster, timeoutSeconds: number, progress: Progress): Promise<void> {
  progress(`Waiting for ${DEPLOYMENTS.join(" and ")}`);
  const status = ["rollout", "status", "--namespace", NAMESPACE, `--timeout=${timeoutSeconds}s`];
  const results = await Promise.allSettled(
    DEPLOYMENTS.map((name) => cluster.kubectl([...status, `deployment/${name}`])),
  );
  const failed = results.filter((result) => result.status === "rejected");
  if (failed.length === 0) return;
  const why = failed.map(({ reason }) => (reason instanceof Error ? reason.message : String(reason)));
  throw new Error(`The operator did not become ready.\n${why.join("\n")}\n${await whatHappened(cluster)}`);
}

/** The Pods, what the cluster says about them and the end of their logs. */
async function whatHappened(cluster: Cluster): Promise<string> {
  const asked = [
    ["get", "pods", "-o", "wide"],
    ["get", "events", "--field-selector", "type=Warning", "-o", "custom-columns=:.involvedObject.name,:.message"],
    ["logs", "--selector", "app.kubernetes.io/name=ovs-traffic-control", "--prefix", "--tail", "15"],
  ];
  const answers = await Promise.all(asked.map((args) => cluster.host("kubectl", ["--namespace", NAMESPACE, ...args])));
  return answers.map(({ stdout, stderr }) => (stdout || stderr).trim()).join("\n\n");
}
