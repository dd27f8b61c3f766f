/**
 * `uninstall`: the drain (capabilities/drain.ts) on this machine, for a cluster whose operator has gone without one. Nodes are
 * cleaned by oneShot Jobs, which need no rights of their own; the Namespaces that these need are made if they have gone, too, and
 * deleted again. Called by main.ts.
 */
import { KubeConfig } from "@kubernetes/client-node";
import { FINALIZER, LABELS, type NodeTrafficPlan, type TrafficControl } from "@ovs-traffic-control/api";
import { drain } from "../../../capabilities/drain";
import {
  Connection,
  EngineMetrics,
  KubernetesClient,
  logger,
  readEnvironment,
  systemClock,
} from "../../../capabilities/engine";
import type { Installation } from "./installation";
import { Failure, PLANS, TRAFFIC_CONTROLS, type ConnectionOptions, type Kubectl } from "./kubectl";
import { count } from "./output";

export interface UninstallOptions {
  connection: ConnectionOptions;
  installation: Installation;
  /** Of the node programmers; that of a Job that is left, if absent. */
  image?: string;
  deadlineSeconds: number;
  ovsRunDirectory?: string;
  netnsDirectory?: string;
  onProgress: (text: string) => void;
}

const OPERATOR = "app.kubernetes.io/name=ovs-traffic-control";
const PROGRAMMERS = `${LABELS.component}=node-programmer`;
const SERVICE_ACCOUNT = "ovs-traffic-control-programmer";
const JOBS_POLICY = "ovs-traffic-control-jobs";
const MANAGER = "kubectl-trafficcontrol";
const KINDS = [
  "deployments,services,validatingwebhookconfigurations,mutatingwebhookconfigurations,validatingadmissionpolicies",
  "validatingadmissionpolicybindings,clusterroles,clusterrolebindings,customresourcedefinitions,namespaces",
].join(",");

/** Resolves with the nodes that have not confirmed in time that nothing of ours is left on them. */
export async function uninstall(kubectl: Kubectl, options: UninstallOptions): Promise<string[]> {
  const { onProgress, deadlineSeconds } = options;
  await nobodyElse(kubectl, options.installation);
  const [trafficControls, plans] = await Promise.all([
    kubectl.list<TrafficControl>(TRAFFIC_CONTROLS),
    kubectl.list<NodeTrafficPlan>(PLANS),
  ]);
  const held = trafficControls.filter(({ metadata }) => metadata.finalizers?.includes(FINALIZER) === true);
  onProgress(`${count(plans.length, "node")} with a plan, ${count(held.length, "TrafficControl")} with our finalizer.`);
  if (plans.length === 0 && held.length === 0) return [];

  const { image, namespace: nodesNamespace } = await programmers(kubectl, options);
  const installation = { ...options.installation, nodesNamespace };
  const config = kubeConfig(options.connection);
  const made = await makeNamespaces(kubectl, installation);
  try {
    onProgress(`Jobs in the Namespace ${nodesNamespace} clean the nodes, for at most ${deadlineSeconds} s…`);
    return await runDrain({ ...options, installation }, config, image);
  } finally {
    for (const namespace of made) await kubectl.ask(["delete", "namespace", namespace, "--ignore-not-found"]);
  }
}

/** Objects of the operator that are still in the cluster, as kubectl names them. */
export async function leftovers(kubectl: Kubectl): Promise<string[]> {
  const text = await kubectl.run(["get", KINDS, "--all-namespaces", "-l", OPERATOR, "-o", "name"]);
  return text.split("\n").filter((line) => line !== "");
}

/** Two that write plans would undo each other's. Whoever may not see Deployments cannot know. */
async function nobodyElse(kubectl: Kubectl, { isThere, namespace }: Installation): Promise<void> {
  await kubectl.run(["get", "deployments", "--all-namespaces", "-l", OPERATOR, "-o", "name"]);
  if (isThere)
    throw new Failure(
      `The operator is there (in the Namespace ${namespace}) and drains itself:\n  helm uninstall ovs-traffic-control -n ${namespace}`,
    );
  if ((await kubectl.get("validatingadmissionpolicybindings", JOBS_POLICY)) !== undefined)
    throw new Failure(
      `A policy of the operator is left, which lets nobody but its controller make Jobs. Delete it, then try again:\n  kubectl delete validatingadmissionpolicybinding ${JOBS_POLICY}`,
    );
}

/** Image and Namespace of the programmers' Jobs that are left; what the user says, and the chart's name, if none is. */
async function programmers(
  kubectl: Kubectl,
  { image, installation }: UninstallOptions,
): Promise<{ image: string; namespace: string }> {
  interface Job {
    metadata: { namespace: string };
    spec: { template: { spec: { containers: { image: string }[] } } };
  }
  const [job] = await kubectl.list<Job>("jobs", "--all-namespaces", "-l", PROGRAMMERS);
  const found = image ?? job?.spec.template.spec.containers[0]?.image;
  if (found === undefined)
    throw new Failure(
      "No Job of a node is left that would say which image to clean up with. Name the one that was installed: --image IMAGE",
    );
  return { image: found, namespace: job?.metadata.namespace ?? installation.nodesNamespace };
}

interface Namespace {
  metadata: { deletionTimestamp?: string; labels?: Record<string, string> };
}

/** Where the drain keeps its Lease and its Jobs. Returns those that are ours to delete, an interrupted run's among them. */
async function makeNamespaces(kubectl: Kubectl, { namespace, nodesNamespace }: Installation): Promise<string[]> {
  const made: string[] = [];
  for (const [name, level] of [
    [namespace, "restricted"],
    [nodesNamespace, "privileged"],
  ] as const) {
    let found = await kubectl.get<Namespace>("namespace", name);
    if (found?.metadata.deletionTimestamp !== undefined) {
      // It takes nothing in any more.
      await kubectl.run(["wait", "--for=delete", `namespace/${name}`, "--timeout=120s"]);
      found = undefined;
    }
    if (found !== undefined && found.metadata.labels?.[LABELS.managedBy] !== MANAGER) continue;
    const labels = { [LABELS.managedBy]: MANAGER, "pod-security.kubernetes.io/enforce": level };
    await apply(kubectl, { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });
    made.push(name);
  }
  const metadata = { name: SERVICE_ACCOUNT, namespace: nodesNamespace };
  await apply(kubectl, { apiVersion: "v1", kind: "ServiceAccount", metadata });
  return made;
}

async function apply(kubectl: Kubectl, object: object): Promise<void> {
  await kubectl.run(["apply", "--server-side", `--field-manager=${MANAGER}`, "-f", "-"], JSON.stringify(object));
}

async function runDrain(options: UninstallOptions, config: KubeConfig, image: string): Promise<string[]> {
  const { installation, deadlineSeconds, onProgress } = options;
  const environment = readEnvironment({
    POD_NAMESPACE: installation.namespace,
    NODES_NAMESPACE: installation.nodesNamespace,
    PROGRAMMER_IMAGE: image,
    PROGRAMMER_MODE: "oneShot",
    OVS_RUNDIR: options.ovsRunDirectory,
    NETNS_DIR: options.netnsDirectory,
    // There is no webhook any more.
    KEEP_CERTIFICATES: "false",
  });
  const connection = new Connection(config);
  const connect = (metrics: EngineMetrics, mayWrite?: () => boolean): KubernetesClient =>
    new KubernetesClient({ connection, metrics, mayWrite });
  try {
    return await drain({
      environment,
      deadlineSeconds,
      api: connect(new EngineMetrics()),
      clock: systemClock,
      log: logger("drain"),
      controller: {
        connect,
        onLost: () => {
          onProgress(
            "The Lease was lost: somebody else runs a controller, or the API server did not answer. Run it again.",
          );
          process.exit(1);
        },
      },
    });
  } catch (error) {
    throw new Failure(error instanceof Error ? error.message : String(error));
  } finally {
    connection.close();
  }
}

/** The same cluster and user as kubectl has. */
function kubeConfig({ kubeconfig, context, as }: ConnectionOptions): KubeConfig {
  if (as !== undefined) throw new Failure("uninstall does not work with --as: use a context of that user.");
  const config = new KubeConfig();
  if (kubeconfig === undefined) config.loadFromDefault();
  else config.loadFromFile(kubeconfig);
  if (context !== undefined) config.setCurrentContext(context);
  return config;
}
