/**
 * trafficcontrol_selected_pods, _desired_nodes, _realized_nodes, _ready {name}: what each TrafficControl's status says. Only the leader
 * has them.
 */
import { CONDITIONS, type TrafficControlStatus } from "../api";
import type { EngineMetrics } from "../engine";

export class ReportingMetrics {
  private readonly selectedPods;
  private readonly desiredNodes;
  private readonly realizedNodes;
  private readonly ready;

  constructor(metrics: EngineMetrics) {
    this.selectedPods = metrics.gauge("trafficcontrol_selected_pods", "Pods that a TrafficControl selects", ["name"]);
    this.desiredNodes = metrics.gauge("trafficcontrol_desired_nodes", "Nodes where selected Pods run", ["name"]);
    this.realizedNodes = metrics.gauge(
      "trafficcontrol_realized_nodes",
      "Nodes where all selected Pods are programmed",
      ["name"],
    );
    this.ready = metrics.gauge("trafficcontrol_ready", "1 if the condition Ready is True", ["name"]);
  }

  set(name: string, status: TrafficControlStatus): void {
    const isReady = status.conditions?.some(({ type, status: value }) => type === CONDITIONS.ready && value === "True");
    this.selectedPods.set({ name }, status.selectedPods ?? 0);
    this.desiredNodes.set({ name }, status.desiredNodes ?? 0);
    this.realizedNodes.set({ name }, status.realizedNodes ?? 0);
    this.ready.set({ name }, isReady === true ? 1 : 0);
  }

  forget(name: string): void {
    for (const gauge of [this.selectedPods, this.desiredNodes, this.realizedNodes, this.ready]) gauge.remove({ name });
  }
}
