/** Brings one TrafficControl to what it should be: finalizer and status while it lives, clean-up when it is deleted. Level-triggered. */
import { ANTREA_CONFIG } from "./antrea";
import { REASONS, type TrafficControl } from "./api";
import { hasFinalizer, type Finalizer, type NodeReconciler } from "./delivery";
import type { DesiredState } from "./desired-state";
import type { ReconcileResult } from "./engine";
import { isConfirmed } from "./planning";
import type { Replicas } from "./replicas";
import type { EventRecorder, NodeView, Reporter } from "./reporting";

export interface TrafficControlReconcilerOptions {
  replicas: Pick<Replicas, "trafficControls" | "nodes" | "plans">;
  desired: DesiredState;
  /** Where Antrea's configuration is. */
  antreaNamespace: string;
  nodeReconciler: Pick<NodeReconciler, "troubleOf" | "excessOf">;
  finalizer: Finalizer;
  reporter: Reporter;
  events: EventRecorder;
  cleanupDeadlineSeconds: number;
}

export class TrafficControlReconciler {
  constructor(private readonly options: TrafficControlReconcilerOptions) {}

  async reconcile(name: string): Promise<ReconcileResult> {
    const { replicas, desired, finalizer, reporter } = this.options;
    const trafficControl = replicas.trafficControls.get(name);
    if (trafficControl === undefined) {
      reporter.forget(name);
      return {};
    }
    if (trafficControl.metadata.deletionTimestamp !== undefined) {
      return hasFinalizer(trafficControl) ? this.cleanUp(trafficControl) : {};
    }
    if (desired.hasStoodDown) return this.standDown(trafficControl);
    if (!hasFinalizer(trafficControl)) {
      // Its own write brings it back here, and its nodes into their queue.
      await finalizer.add(trafficControl);
      return {};
    }
    const selection = desired.selectionOf(name);
    return reporter.report(trafficControl, {
      nodes: [...selection.nodes].flatMap(([node, pods]) => this.viewOf(trafficControl, node, pods)),
      conflict: desired.conflictOf(trafficControl),
      refusal: desired.refusalOf(trafficControl),
      overruled: desired.overruledBy(trafficControl),
      collectors: selection.collectors,
      optedOut: selection.optedOut,
    });
  }

  /** Somebody else acts on it. What we have in force goes first, and with it our finalizer. */
  private async standDown(trafficControl: TrafficControl): Promise<ReconcileResult> {
    const { finalizer, reporter, antreaNamespace } = this.options;
    if (hasFinalizer(trafficControl)) {
      const cleanup = await finalizer.release(trafficControl);
      if (cleanup.state === "waiting") return { requeueAfterMilliseconds: cleanup.milliseconds };
    }
    const message = `The agents of Antrea act on TrafficControls themselves (feature gate TrafficControl in ConfigMap ${antreaNamespace}/${ANTREA_CONFIG.name}), so ovs-traffic-control does nothing. Turn one of the two off.`;
    const refusal = { reason: REASONS.stoodDown, message };
    return reporter.report(trafficControl, { nodes: [], refusal, collectors: [], optedOut: 0 });
  }

  private async cleanUp(trafficControl: TrafficControl): Promise<ReconcileResult> {
    const cleanup = await this.options.finalizer.release(trafficControl);
    switch (cleanup.state) {
      case "waiting": {
        const nodes = `${cleanup.nodes.length} ${cleanup.nodes.length === 1 ? "node" : "nodes"}`;
        if (cleanup.isNew) this.record(trafficControl, REASONS.cleanupStarted, `Removing the taps from ${nodes}.`);
        return { requeueAfterMilliseconds: cleanup.milliseconds };
      }
      case "completed":
        this.record(trafficControl, REASONS.cleanupCompleted, "No node taps for this TrafficControl any more.");
        return {};
      case "abandoned": {
        const nodes = `${cleanup.nodes.slice(0, 5).join(", ")}${cleanup.nodes.length > 5 ? "…" : ""}`;
        const seconds = this.options.cleanupDeadlineSeconds;
        const note = `Not confirmed within ${seconds} s by ${nodes}; taps there go when the node answers again.`;
        this.record(trafficControl, REASONS.cleanupAbandoned, note);
        return {};
      }
    }
  }

  private record(trafficControl: TrafficControl, reason: string, note: string): void {
    const type = reason === REASONS.cleanupAbandoned ? "Warning" : "Normal";
    this.options.events.record(trafficControl, { type, reason, action: "Cleanup", note });
  }

  /** Empty for a node that is gone: its Pods will be, too. */
  private viewOf({ metadata: { uid = "" } }: TrafficControl, name: string, pods: number): NodeView[] {
    const { replicas, nodeReconciler } = this.options;
    const node = replicas.nodes.get(name);
    if (node === undefined) return [];
    const plan = replicas.plans.get(name);
    const trouble = plan !== undefined && isConfirmed(plan) ? undefined : nodeReconciler.troubleOf(name);
    return [{ node: name, ready: node.ready, pods, plan, trouble, excess: nodeReconciler.excessOf(name, uid) }];
  }
}
