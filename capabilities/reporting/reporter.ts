/**
 * Writes the status of TrafficControls, at most once a second each and only if it differs, and the Events that go with it. How far a
 * thousand nodes are is not told node by node: as long as there is no other news than another count, the pauses grow.
 */
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
import { statusOf, type Refusal } from "./status";
import { list } from "./words";

const COALESCE_MS = 1_000;
/** The longest pause between two words that differ in how many nodes are done. */
const MAXIMUM_PAUSE_MS = 8_000;
/**
 * A resident programmer answers within this. So the first word about a generation waits for it if there is nothing better to say than
 * "programming": one write instead of two, and Ready a second earlier.
 */
const PATIENCE_MS = 200;

export interface Situation {
  nodes: readonly NodeView[];
  conflict?: { winner: string; message: string };
  /** Why it is not in force on any node. */
  refusal?: Refusal;
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
  /** How long to wait after that before another count is written. */
  pause: number;
  unrealizedSince: Map<string, number>;
  /** What the status would say, had the CRD one. */
  unwritten?: TrafficControlStatus;
}

const FOREIGN_SCHEMA =
  "The CRD trafficcontrols.crd.antrea.io is not that of ovs-traffic-control and has no status; what would stand there is in Events, metrics and the NodeTrafficPlans (kubectl get ntp).";

export class Reporter {
  private readonly memories = new Map<string, Memory>();
  /** Names of those that are not realized on a node, by node. */
  private readonly waiting = new Map<string, Set<string>>();
  private hasNoStatus = false;

  constructor(private readonly options: ReporterOptions) {}

  /** The CRD is somebody else's and stores no status: then nothing is written. */
  withoutStatus(hasNoStatus: boolean): void {
    this.hasNoStatus = hasNoStatus;
    for (const memory of this.memories.values()) delete memory.unwritten;
  }

  async report(stored: TrafficControl, situation: Situation): Promise<ReconcileResult> {
    const { clock, metrics, asOfLastRun } = this.options;
    const { name = "" } = stored.metadata;
    const moment = clock.monotonic();
    const memory = this.memoryOf(stored, moment);
    const trafficControl = this.hasNoStatus ? { ...stored, status: memory.unwritten } : stored;
    const { collectors, ...rest } = situation;
    const unrealizedFor = new Map([...memory.unrealizedSince].map(([node, since]) => [node, moment - since]));
    const output = statusOf({ trafficControl, ...rest, asOfLastRun, unrealizedFor, now: clock.now() });
    this.remember(name, memory, output.unrealized, moment);
    metrics.set(name, output.status);
    const result = { requeueAfterMilliseconds: output.recheckAfterMilliseconds };
    if (collectors.length > 0) this.warnOfCollectors(trafficControl, collectors);
    if (isDeepStrictEqual(output.status, trafficControl.status)) return result;
    const before = readyOf(trafficControl.status);
    const after = readyOf(output.status);
    const isProgramming = after?.reason === REASONS.programming;
    const isProgress = isProgramming && before?.reason === REASONS.programming && before.status === after.status;
    const patience = isProgramming ? memory.firstSeenAt + PATIENCE_MS : -Infinity;
    const wait = Math.max(memory.writtenAt + (isProgress ? memory.pause : COALESCE_MS), patience) - moment;
    if (wait > 0) return { requeueAfterMilliseconds: earliest(wait, output.recheckAfterMilliseconds) };
    memory.writtenAt = moment;
    memory.pause = isProgress ? Math.min(2 * memory.pause, MAXIMUM_PAUSE_MS) : COALESCE_MS;
    if (this.hasNoStatus) this.tellOtherwise(trafficControl, memory, output.status);
    else await this.write(trafficControl, output.status);
    return result;
  }

  /** Names of the TrafficControls for which the node is not where it should be, as far as they have been looked at. */
  waitingFor(node: string): Iterable<string> {
    return this.waiting.get(node) ?? [];
  }

  /** For how many milliseconds there is no use in looking at the TrafficControl again: its status could not be written yet. */
  restOf(name: string): number {
    const memory = this.memories.get(name);
    return memory === undefined ? 0 : Math.max(0, memory.writtenAt + COALESCE_MS - this.options.clock.monotonic());
  }

  forget(name: string): void {
    const memory = this.memories.get(name);
    if (memory !== undefined) this.remember(name, memory, [], 0);
    this.memories.delete(name);
    this.options.metrics.forget(name);
  }

  private remember(name: string, memory: Memory, unrealized: readonly string[], moment: number): void {
    const before = memory.unrealizedSince;
    memory.unrealizedSince = new Map(unrealized.map((node) => [node, before.get(node) ?? moment]));
    for (const node of unrealized) {
      const names = this.waiting.get(node);
      if (names === undefined) this.waiting.set(node, new Set([name]));
      else names.add(name);
    }
    for (const node of before.keys()) {
      if (memory.unrealizedSince.has(node)) continue;
      const names = this.waiting.get(node);
      if (names?.delete(name) === true && names.size === 0) this.waiting.delete(node);
    }
  }

  private tellOtherwise(trafficControl: TrafficControl, memory: Memory, status: TrafficControlStatus): void {
    if (memory.unwritten === undefined)
      this.options.events.record(trafficControl, {
        ...{ type: "Warning", reason: REASONS.schemaForeign, action: "Report", note: FOREIGN_SCHEMA },
      });
    memory.unwritten = status;
    this.announce(trafficControl, status);
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

  /** An Event for each change of Ready's status or reason, and one when copies become approximate. */
  private announce(trafficControl: TrafficControl, status: TrafficControlStatus): void {
    const [isApproximate, wasApproximate] = [status, trafficControl.status].map((each) =>
      each?.conditions?.find(({ type }) => type === CONDITIONS.approximate),
    );
    if (isApproximate && !wasApproximate)
      this.options.events.record(trafficControl, {
        ...{ type: "Warning", reason: isApproximate.reason, action: "Program", note: isApproximate.message },
      });
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
      if (memory !== undefined) this.remember(name, memory, [], moment);
      const unrealizedSince = new Map<string, number>();
      memory = { uid, generation, firstSeenAt: moment, writtenAt: -Infinity, pause: COALESCE_MS, unrealizedSince };
      this.memories.set(name, memory);
    }
    if (memory.generation !== generation) Object.assign(memory, { generation, firstSeenAt: moment });
    return memory;
  }
}

function earliest(a: number, b: number | undefined): number {
  return b === undefined ? a : Math.min(a, b);
}

function readyOf(status: TrafficControlStatus | undefined): Condition | undefined {
  return status?.conditions?.find(({ type }) => type === CONDITIONS.ready);
}
