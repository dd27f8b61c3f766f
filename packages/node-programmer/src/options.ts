/** What the programmer needs from its surroundings. Filled in by main, and by tests. */
import type { NodeTrafficPlan, PlanStatus } from "@ovs-traffic-control/api";

export interface PlanSource {
  /** Calls back with the plan now (null: there is none) and after each change, until `stop`. */
  start(onPlan: (plan: NodeTrafficPlan | null) => void): Promise<void>;
  stop(): void;
}

export interface StatusSink {
  /** Replaces the status. Rejects if it could not; it is tried again with the newest status. */
  write(status: PlanStatus): Promise<void>;
}

/** One line of the log: what happened, for a human being, and the figures. */
export type Log = (level: "info" | "warn" | "error", message: string, fields?: Record<string, unknown>) => void;

export interface ProgrammerOptions {
  planSource: PlanSource;
  statusSink: StatusSink;
  log: Log;
  /** Directory with db.sock, BRIDGE.mgmt and the daemons' control files. */
  runDir: string;
  /** Directory with the Pods' network namespaces. */
  netnsDir: string;
  /** UID of this node, if known: a plan for another one is refused. */
  nodeUID?: string;
  /** Seconds to stay after the plan has become empty. */
  lingerSeconds: number;
  /** Apply the plan once, report, end: exit code 0, or 65 if some Pods are pending. */
  once?: boolean;
  /** Ends the programmer and leaves everything in place. */
  signal?: AbortSignal;
  /** Milliseconds between looks at flows that nobody has reported as changed; 30,000 if absent. */
  auditInterval?: number;
  /** Milliseconds between reports in which nothing but counters is new, at least; 60,000 if absent. */
  counterInterval?: number;
}
