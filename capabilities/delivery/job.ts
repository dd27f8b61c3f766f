/** The Job that runs a node's programmer (design: "The Job"). A pure function: the same settings give the same Job. */
import { createHash } from "node:crypto";
import { FIELD_MANAGER, LABELS } from "../api";
import type { Environment } from "../engine";
import { hashOf } from "../planning";
import { JOB_ANNOTATIONS, type NodeFacts } from "./facts";

export const PROGRAMMER_COMPONENT = "node-programmer";
const SERVICE_ACCOUNT = "ovs-traffic-control-programmer";

export type JobSettings = Pick<
  Environment,
  "nodesNamespace" | "programmerImage" | "programmerMode" | "lingerSeconds" | "ovsRunDirectory" | "netnsDirectory"
>;

/** In oneShot mode: the plan in the Job's ConfigMap, and where the container finds it. */
export const PLAN_FILE = "plan.json";
const PLAN_DIRECTORY = "/etc/ovs-traffic-control";
/** A oneShot Job that has not ended by then never will; its node is tried again with a back-off. */
const ONE_SHOT_DEADLINE_SECONDS = 120;

/** What server-side validation cares for is written out; the API server fills in the rest. */
export interface Job {
  apiVersion: "batch/v1";
  kind: "Job";
  metadata: {
    name: string;
    namespace: string;
    labels: Record<string, string>;
    annotations: Record<string, string>;
  };
  spec: JobSpec;
}

type JobSpec = ReturnType<typeof jobSpec>;

/** One name per node, so that the API server itself refuses a second Job. Readable, and unique by its hash. */
export function jobName(node: string): string {
  const readable = node.replace(/[^a-z0-9-]/g, "-").slice(0, 40);
  return `programmer-${readable}-${nodeHash(node).slice(0, 8)}`;
}

/** @param planHash of the plan that the Job gets, in oneShot mode only */
export function buildJob(node: Pick<NodeFacts, "name" | "uid">, settings: JobSettings, planHash?: string): Job {
  const spec = jobSpec(node, settings);
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name: jobName(node.name),
      namespace: settings.nodesNamespace,
      labels: labelsOf(node.name),
      annotations: {
        [JOB_ANNOTATIONS.node]: node.name,
        [JOB_ANNOTATIONS.template]: hashOf(spec),
        ...(planHash === undefined ? {} : { [JOB_ANNOTATIONS.plan]: planHash }),
      },
    },
    spec,
  };
}

/** What a Job for this node would carry now; another value on the Job that is there means that it is out of date. */
export function templateHash(node: Pick<NodeFacts, "name" | "uid">, settings: JobSettings): string {
  return hashOf(jobSpec(node, settings));
}

/** Asked for in every reconcile; as many as there are nodes, now or before. */
const nodeHashes = new Map<string, string>();

function nodeHash(node: string): string {
  const known = nodeHashes.get(node);
  if (known !== undefined) return known;
  const hash = createHash("sha256").update(node).digest("hex").slice(0, 32);
  nodeHashes.set(node, hash);
  return hash;
}

function labelsOf(node: string): Record<string, string> {
  return {
    [LABELS.managedBy]: FIELD_MANAGER,
    [LABELS.component]: PROGRAMMER_COMPONENT,
    [LABELS.node]: nodeHash(node),
    [LABELS.operator]: "true",
  };
}

// The return type is the literal itself: JobSpec above is made from it.
function jobSpec(node: Pick<NodeFacts, "name" | "uid">, settings: JobSettings) {
  const isOneShot = settings.programmerMode === "oneShot";
  return {
    ...(isOneShot ? { activeDeadlineSeconds: ONE_SHOT_DEADLINE_SECONDS } : {}),
    completions: 1,
    parallelism: 1,
    // The controller starts again itself, with a back-off per node and knowing the exit code.
    backoffLimit: 0,
    // No new Pod before the old one is gone for good: never two programmers on a node.
    podReplacementPolicy: "Failed",
    // No ttlSecondsAfterFinished: it would race with reading the exit code. The controller deletes finished Jobs.
    template: {
      metadata: { labels: labelsOf(node.name) },
      spec: {
        serviceAccountName: SERVICE_ACCOUNT,
        // What it has to know is in its file: whoever breaks out of it finds no token.
        ...(isOneShot ? { automountServiceAccountToken: false } : {}),
        restartPolicy: "Never",
        priorityClassName: "system-node-critical",
        // Placed as the DaemonSet controller places its Pods: metadata.name is unique even where the hostname label is not.
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: [node.name] }] }],
            },
          },
        },
        // All that DaemonSets tolerate and every taint besides: where a selected Pod runs, its traffic is tapped.
        tolerations: [{ operator: "Exists" }],
        hostNetwork: true,
        dnsPolicy: "Default",
        enableServiceLinks: false,
        // It stops at once and leaves the flows in place.
        terminationGracePeriodSeconds: 5,
        containers: [container(node, settings)],
        volumes: [
          // "OrCreate": on a node without Open vSwitch the programmer starts and says so, instead of hanging in ContainerCreating.
          { name: "ovs", hostPath: { path: settings.ovsRunDirectory, type: "DirectoryOrCreate" } },
          { name: "netns", hostPath: { path: settings.netnsDirectory, type: "DirectoryOrCreate" } },
          { name: "tmp", emptyDir: {} },
          ...(isOneShot ? [{ name: "plan", configMap: { name: jobName(node.name) } }] : []),
        ],
      },
    },
  };
}

function container(node: Pick<NodeFacts, "name" | "uid">, settings: JobSettings) {
  return {
    name: PROGRAMMER_COMPONENT,
    image: settings.programmerImage,
    imagePullPolicy: "IfNotPresent",
    command: [
      "node",
      "/app/node-programmer.js",
      ...(settings.programmerMode === "oneShot" ? ["--plan", `${PLAN_DIRECTORY}/${PLAN_FILE}`, "--once"] : []),
    ],
    env: [
      { name: "NODE_NAME", value: node.name },
      { name: "NODE_UID", value: node.uid },
      { name: "LINGER_SECONDS", value: String(settings.lingerSeconds) },
      { name: "OVS_RUNDIR", value: settings.ovsRunDirectory },
      { name: "NETNS_DIR", value: settings.netnsDirectory },
    ],
    // Root with every capability: links of internal ports, Pods' network namespaces, and a socket that SELinux labels openvswitch_var_run_t.
    securityContext: { privileged: true, runAsUser: 0, runAsNonRoot: false, readOnlyRootFilesystem: true },
    resources: { requests: { cpu: "10m", memory: "64Mi" }, limits: { memory: "256Mi" } },
    terminationMessagePolicy: "FallbackToLogsOnError",
    volumeMounts: [
      { name: "ovs", mountPath: settings.ovsRunDirectory },
      { name: "netns", mountPath: settings.netnsDirectory, readOnly: true, mountPropagation: "HostToContainer" },
      { name: "tmp", mountPath: "/tmp" },
      ...(settings.programmerMode === "oneShot" ? [{ name: "plan", mountPath: PLAN_DIRECTORY, readOnly: true }] : []),
    ],
  };
}
