/**
 * The finalizer of a TrafficControl: there before any plan names it, gone when no node has it in force any more or the deadline has
 * passed. Called by the controller when it reconciles a TrafficControl.
 */
import { FINALIZER, TRAFFIC_CONTROL, type TrafficControl } from "../api";
import { must, type Clock, type JsonPatch, type KubernetesApi } from "../engine";
import type { InForce } from "./in-force";

/** Not every reason to wait ends with an event. */
const LOOK_AGAIN_MS = 1_000;

export type Cleanup =
  /** Nodes that have not confirmed yet, and when to look again. */
  | { state: "waiting"; nodes: string[]; milliseconds: number; isNew: boolean }
  | { state: "completed" }
  | { state: "abandoned"; nodes: string[] };

export interface FinalizerOptions {
  api: KubernetesApi;
  inForce: InForce;
  nodes: { get(name: string): unknown };
  /** Nodes where a write under way may yet put the TrafficControl in force. */
  nodesUnderWay: (uid: string) => string[];
  /** Takes over the object as the write has returned it. */
  admit: (trafficControl: TrafficControl) => void;
  deadlineSeconds: number;
  clock: Clock;
}

export function hasFinalizer({ metadata }: TrafficControl): boolean {
  return metadata.finalizers?.includes(FINALIZER) ?? false;
}

export class Finalizer {
  /** When this process has first seen each deletion, by UID: after a restart nodes get the whole deadline once more. */
  private readonly deletionSeen = new Map<string, number>();

  constructor(private readonly options: FinalizerOptions) {}

  async add(trafficControl: TrafficControl): Promise<void> {
    const { name = "", uid, resourceVersion, finalizers } = trafficControl.metadata;
    const value = finalizers === undefined ? [FINALIZER] : FINALIZER;
    const path = finalizers === undefined ? "/metadata/finalizers" : "/metadata/finalizers/-";
    await this.patch(name, "Adding the finalizer", [
      { op: "test", path: "/metadata/uid", value: uid },
      { op: "test", path: "/metadata/resourceVersion", value: resourceVersion },
      { op: "add", path, value },
    ]);
  }

  /** Removes the finalizer if nothing holds it; says otherwise what it waits for. */
  async release(trafficControl: TrafficControl): Promise<Cleanup> {
    const { name = "", uid = "" } = trafficControl.metadata;
    const nodes = this.nodesInForce(uid);
    const now = this.options.clock.monotonic();
    const isNew = !this.deletionSeen.has(uid);
    const seen = this.deletionSeen.get(uid) ?? now;
    this.deletionSeen.set(uid, seen);
    const milliseconds = seen + this.options.deadlineSeconds * 1000 - now;
    if (nodes.length > 0 && milliseconds > 0) {
      return { state: "waiting", nodes, milliseconds: Math.min(milliseconds, LOOK_AGAIN_MS), isNew };
    }
    const index = trafficControl.metadata.finalizers?.indexOf(FINALIZER) ?? -1;
    await this.patch(name, "Removing the finalizer", [
      { op: "test", path: "/metadata/uid", value: uid },
      { op: "test", path: `/metadata/finalizers/${index}`, value: FINALIZER },
      { op: "remove", path: `/metadata/finalizers/${index}` },
    ]);
    this.deletionSeen.delete(uid);
    return nodes.length > 0 ? { state: "abandoned", nodes } : { state: "completed" };
  }

  /** Nodes that are there and may still tap for this TrafficControl. */
  private nodesInForce(uid: string): string[] {
    const nodes = new Set(this.options.nodesUnderWay(uid));
    for (const node of this.options.inForce.nodesOf(uid)) nodes.add(node);
    return [...nodes].filter((node) => this.options.nodes.get(node) !== undefined).sort();
  }

  private async patch(name: string, what: string, patch: JsonPatch): Promise<void> {
    const path = { resource: TRAFFIC_CONTROL, name };
    const result = await this.options.api.jsonPatch<TrafficControl>(path, patch);
    if (!result.ok && result.code === 404) return;
    this.options.admit(must(result, `${what} of TrafficControl ${name}`));
  }
}
