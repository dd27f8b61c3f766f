/** The part of Nodes, Jobs and programmers' Pods that delivery looks at. The informers keep only this. */
import { DOMAIN } from "../api";

/** On a Job: the node's name in full (the label holds a hash), the hash of what the Job was made from, and, in oneShot mode, of the plan that it gets. */
export const JOB_ANNOTATIONS = {
  node: `${DOMAIN}/node-name`,
  template: `${DOMAIN}/template-hash`,
  plan: `${DOMAIN}/plan-hash`,
} as const;

export interface NodeFacts {
  name: string;
  uid: string;
  ready: boolean;
  /** Another one after each start of the machine: what Open vSwitch had in memory is gone. Empty if the node does not say. */
  bootID: string;
}

export interface JobFacts {
  name: string;
  node: string;
  uid: string;
  templateHash: string;
  /** In oneShot mode: the plan that it applies. */
  planHash?: string;
  createdAt: string;
  /** Its container runs, or has run. */
  started: boolean;
  deleting: boolean;
  state: "active" | "succeeded" | "failed";
  /** The Job controller's words, if it failed. */
  message?: string;
}

/** What the Pod of a Job says about its only container. */
export interface ProgrammerPodFacts {
  job: string;
  createdAt: string;
  /** Why it does not run yet, if the kubelet or the scheduler says so. */
  waiting?: { reason: string; message: string };
  exit?: { code: number; reason: string; message: string };
}

interface Meta {
  name: string;
  uid: string;
  resourceVersion: string;
  namespace?: string;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

interface RawCondition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
}

export interface RawNode {
  metadata: Meta;
  status?: { conditions?: RawCondition[]; nodeInfo?: { bootID?: string } };
}

export interface RawJob {
  metadata: Meta;
  status?: { conditions?: RawCondition[]; ready?: number; succeeded?: number; failed?: number };
}

interface ContainerState {
  waiting?: { reason?: string; message?: string };
  terminated?: { exitCode: number; reason?: string; message?: string };
}

export interface RawProgrammerPod {
  metadata: Meta;
  status?: {
    phase?: string;
    reason?: string;
    message?: string;
    conditions?: RawCondition[];
    containerStatuses?: { state?: ContainerState }[];
  };
}

export function nodeFacts({ metadata, status }: RawNode): NodeFacts {
  const isTrue = (type: string): boolean =>
    status?.conditions?.some((condition) => condition.type === type && condition.status === "True") ?? false;
  const bootID = status?.nodeInfo?.bootID ?? "";
  return { name: metadata.name, uid: metadata.uid, ready: isTrue("Ready"), bootID };
}

export function jobFacts({ metadata, status }: RawJob): JobFacts {
  const holds = (type: string): RawCondition | undefined =>
    status?.conditions?.find((condition) => condition.type === type && condition.status === "True");
  const failed = holds("Failed");
  return {
    name: metadata.name,
    node: metadata.annotations?.[JOB_ANNOTATIONS.node] ?? "",
    uid: metadata.uid,
    templateHash: metadata.annotations?.[JOB_ANNOTATIONS.template] ?? "",
    planHash: metadata.annotations?.[JOB_ANNOTATIONS.plan],
    createdAt: metadata.creationTimestamp ?? "",
    started: (status?.ready ?? 0) + (status?.succeeded ?? 0) + (status?.failed ?? 0) > 0,
    deleting: metadata.deletionTimestamp !== undefined,
    state: failed !== undefined ? "failed" : holds("Complete") !== undefined ? "succeeded" : "active",
    message: failed?.message,
  };
}

export function programmerPodFacts({ metadata, status }: RawProgrammerPod): ProgrammerPodFacts {
  const state = status?.containerStatuses?.[0]?.state;
  const unschedulable = status?.conditions?.find(
    (condition) => condition.type === "PodScheduled" && condition.status === "False",
  );
  const { waiting, terminated } = state ?? {};
  const facts: ProgrammerPodFacts = {
    job: metadata.labels?.["batch.kubernetes.io/job-name"] ?? metadata.labels?.["job-name"] ?? "",
    createdAt: metadata.creationTimestamp ?? "",
  };
  // "ContainerCreating" is not a complaint.
  if (waiting?.reason !== undefined && waiting.reason !== "ContainerCreating" && waiting.reason !== "PodInitializing") {
    facts.waiting = { reason: waiting.reason, message: waiting.message ?? "" };
  } else if (unschedulable !== undefined) {
    facts.waiting = { reason: unschedulable.reason ?? "Unschedulable", message: unschedulable.message ?? "" };
  }
  if (terminated !== undefined) {
    facts.exit = { code: terminated.exitCode, reason: terminated.reason ?? "", message: terminated.message ?? "" };
  } else if (status?.phase === "Failed") {
    // Evicted, preempted or lost with its node: there may never have been a container.
    facts.exit = { code: -1, reason: status.reason ?? "Failed", message: status.message ?? "" };
  }
  return facts;
}
