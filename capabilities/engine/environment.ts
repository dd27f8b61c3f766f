/** The settings of the controller. Read from process.env once, by pepr.ts, and handed down; nobody else reads the environment. */
import { randomUUID } from "node:crypto";

export interface Environment {
  /** Identity in the Lease; the Pod's name. */
  podName: string;
  /** Where the operator runs: its Lease, its Service, its certificates. */
  podNamespace: string;
  /** Where the node programmers' Jobs are made. */
  nodesNamespace: string;
  /** Image of the node programmers; the operator's own. */
  programmerImage: string;
  /** How long a programmer stays once its plan is empty. */
  lingerSeconds: number;
  /** "resident": the programmer stays and watches; "oneShot": one Job for each changed plan. */
  programmerMode: ProgrammerMode;
  /** Whether Namespaces may opt out by an annotation. */
  honoursOptOut: boolean;
  /** Where Antrea is, if it is. */
  antreaNamespace: string;
  /** Node programmers that may be starting at a time, and Jobs that may be made a second. */
  jobsInFlight: number;
  jobsPerSecond: number;
  /** Plain HTTP: /metrics, /healthz, /readyz. */
  metricsPort: number;
  /** Host paths that the Job mounts. */
  ovsRunDirectory: string;
  netnsDirectory: string;
  /** Whether the controller makes the webhooks' certificates and writes caBundle; else cert-manager does. */
  keepsCertificates: boolean;
  /** How long a deletion waits for nodes that do not answer. */
  cleanupDeadlineSeconds: number;
  /** How long a drain waits for them. */
  drainDeadlineSeconds: number;
}

export const PROGRAMMER_MODES = ["resident", "oneShot"] as const;
export type ProgrammerMode = (typeof PROGRAMMER_MODES)[number];

type Variables = Record<string, string | undefined>;

/** Throws with every mistake at once: a wrong setting must stop the start, not the first reconcile. */
export function readEnvironment(variables: Variables = process.env): Environment {
  const mistakes: string[] = [];
  const text = (name: string, fallback?: string): string => {
    const value = variables[name] ?? fallback;
    if (value === undefined || value === "") {
      mistakes.push(`${name} is not set`);
      return "";
    }
    return value;
  };
  const integer = (name: string, fallback: number, maximum: number): number => {
    const value = variables[name];
    if (value === undefined || value === "") return fallback;
    const parsed = Number(value);
    if (!/^\d+$/.test(value) || parsed > maximum)
      mistakes.push(`${name}="${value}" is not a number from 0 to ${maximum}`);
    return parsed;
  };
  const positive = (name: string, fallback: number, maximum: number): number => {
    const number = integer(name, fallback, maximum);
    if (number === 0) mistakes.push(`${name}=0 would let nothing happen; name at least 1`);
    return number;
  };
  const mode = (name: string): ProgrammerMode => {
    const value = text(name, "resident");
    const known = PROGRAMMER_MODES.find((candidate) => candidate === value);
    if (known === undefined) mistakes.push(`${name}="${value}" is not one of ${PROGRAMMER_MODES.join(", ")}`);
    return known ?? "resident";
  };
  const flag = (name: string, fallback: boolean): boolean => {
    const value = text(name, String(fallback));
    if (value !== "true" && value !== "false") mistakes.push(`${name}="${value}" is neither true nor false`);
    return value === "true";
  };
  const directory = (name: string, fallback: string): string => {
    const value = text(name, fallback);
    if (!value.startsWith("/")) mistakes.push(`${name}="${value}" is not an absolute path`);
    return value;
  };
  const environment: Environment = {
    podName: text("POD_NAME", `controller-${randomUUID().slice(0, 8)}`),
    podNamespace: text("POD_NAMESPACE", "ovs-traffic-control"),
    nodesNamespace: text("NODES_NAMESPACE", "ovs-traffic-control-nodes"),
    programmerImage: text("PROGRAMMER_IMAGE"),
    lingerSeconds: integer("LINGER_SECONDS", 300, 86_400),
    programmerMode: mode("PROGRAMMER_MODE"),
    honoursOptOut: flag("NAMESPACE_OPT_OUT", true),
    antreaNamespace: text("ANTREA_NAMESPACE", "kube-system"),
    jobsInFlight: positive("JOBS_IN_FLIGHT", 50, 10_000),
    jobsPerSecond: positive("JOBS_PER_SECOND", 10, 1_000),
    metricsPort: integer("METRICS_PORT", 8080, 65_535),
    ovsRunDirectory: directory("OVS_RUNDIR", "/run/openvswitch"),
    netnsDirectory: directory("NETNS_DIR", "/run/netns"),
    keepsCertificates: text("KEEP_CERTIFICATES", "true") === "true",
    cleanupDeadlineSeconds: integer("CLEANUP_DEADLINE_SECONDS", 60, 3_600),
    drainDeadlineSeconds: integer("DRAIN_DEADLINE_SECONDS", 120, 3_600),
  };
  if (mistakes.length > 0) throw new Error(`The environment of the controller is wrong: ${mistakes.join("; ")}.`);
  return environment;
}
