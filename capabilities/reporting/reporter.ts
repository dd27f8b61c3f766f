/** Writes the status of TrafficControls, at most once a second each and only if it differs, and the Events that go with it. */
import { isDeepStrictEqual } from "node:util";
import {
  CONDITIONS,
  REASONS,
  TRAFFIC_CONTROL,
  type Condition,
  type TrafficControl,
  type TrafficControlStatus,
} from "../api";
import { must, type Clock, type KubernetesApi, type ReconcileResult } from "../engine";
import type { EventRecorder } from "./events";
import type { ReportingMetrics } from "./metrics";
import type { NodeView } from "./node-state";
import { statusOf } from "./status";
import { list } from "./words";

const COALESCE_MS = 1_000;
/**
 * A resident programmer answers within this. So the first word about a generation waits for it if there is nothing better to say than
 * "programming": one write instead of two, and Ready a second earlier.
 */
const PATIENCE_MS = 200;

export interface Situation {
  nodes: readonly NodeView[];
  conflict?: { winner: string; message: string };
  /** An older Redirect acts instead on some of its Pods. */
  overruled?: { winner: string; pods: number };
  /** Pods that own the remoteIP and are therefore not selected. */
  collectors: readonly string[];
  /** Pods that match but are left out, because their Namespaces have opted out. */
  optedOut: number;
}

export interface ReporterOptions {
  api: KubernetesApi;
  events: EventRecorder;
  metrics: ReportingMetrics;
  /** In oneShot mode: nobody watches the nodes between two runs. */
  asOfLastRun: boolean;
  /** Takes over the object as the write has returned it. */
  admit: (trafficControl: TrafficControl) => void;
  clock: Clock;
}

interface Memory {
  uid: string;
  generation: number;
  /** When this generation was first looked at. */
  firstSeenAt: number;
  writtenAt: number;
  unrealizedSince: Map<string, number>;
}

export class Reporter {
  private readonly memories = new Map<string, Memory>();

  constructor(private readonly options: ReporterOptions) {}

  async report(trafficControl: TrafficControl, situation: Situation): Promise<ReconcileResult> {
    const { clock, metrics, asOfLastRun } = this.options;
    const { name = "" } = trafficControl.metadata;
    const moment = clock.monotonic();
    const memory = this.memoryOf(trafficControl, moment);
    const { collectors, ...rest } = situation;
    const unrealizedFor = new Map([...memory.unrealizedSince].map(([node, since]) => [node, moment - since]));
    const output = statusOf({ trafficControl, ...rest, asOfLastRun, unrealizedFor, now: clock.now() });
    memory.unrealizedSince = new Map(
      output.unrealized.map((node) => [node, memory.unrealizedSince.get(node) ?? moment]),
    );
    metrics.set(name, output.status);
    const result = { requeueAfterMilliseconds: output.recheckAfterMilliseconds };
    if (collectors.length > 0) this.warnOfCollectors(trafficControl, collectors);
    if (isDeepStrictEqual(output.status, trafficControl.status)) return result;
    const isProgramming = readyOf(output.status)?.reason === REASONS.programming;
    const patience = isProgramming ? memory.firstSeenAt + PATIENCE_MS : -Infinity;
    const wait = Math.max(memory.writtenAt + COALESCE_MS, patience) - moment;
    if (wait > 0) return { requeueAfterMilliseconds: wait };
    memory.writtenAt = moment;
    await this.write(trafficControl, output.status);
    return result;
  }

  forget(name: string): void {
    this.memories.delete(name);
    this.options.metrics.forget(name);
  }

  private async write(trafficControl: TrafficControl, status: TrafficControlStatus): Promise<void> {
    const { name = "", uid } = trafficControl.metadata;
    const path = { resource: TRAFFIC_CONTROL, name, subresource: "status" };
    // A merge patch leaves what it does not name: what shall go is named as null.
    const body = { metadata: { uid }, status: { ...status, failures: status.failures ?? null } };
    const written = await this.options.api.mergePatch<TrafficControl>(path, body);
    if (!written.ok && written.code === 404) return;
    this.options.admit(must(written, `Writing the status of TrafficControl ${name}`));
    this.announce(trafficControl, status);
  }

  /** An Event for each change of Ready's status or reason. */
  private announce(trafficControl: TrafficControl, status: TrafficControlStatus): void {
    const before = readyOf(trafficControl.status);
    const after = readyOf(status);
    if (after === undefined || (before?.status === after.status && before.reason === after.reason)) return;
    // On its way is not news.
    if (after.reason === REASONS.programming) return;
    const type = after.status === "True" ? "Normal" : "Warning";
    this.options.events.record(trafficControl, { type, reason: after.reason, action: "Program", note: after.message });
  }

  private warnOfCollectors(trafficControl: TrafficControl, collectors: readonly string[]): void {
    const note = `${list(collectors)} would be selected, but owns the remoteIP that the packets are sent to, and is left out.`;
    const reason = REASONS.collectorSelected;
    this.options.events.record(trafficControl, { type: "Warning", reason, action: "Select", note });
  }

  private memoryOf({ metadata }: TrafficControl, moment: number): Memory {
    const { name = "", uid = "", generation = 0 } = metadata;
    let memory = this.memories.get(name);
    if (memory?.uid !== uid) {
      memory = { uid, generation, firstSeenAt: moment, writtenAt: -Infinity, unrealizedSince: new Map() };
      this.memories.set(name, memory);
    }
    if (memory.generation !== generation) Object.assign(memory, { generation, firstSeenAt: moment });
    return memory;
  }
}

function readyOf(status: TrafficControlStatus | undefined): Condition | undefined {
  return status?.conditions?.find(({ type }) => type === CONDITIONS.ready);
}
