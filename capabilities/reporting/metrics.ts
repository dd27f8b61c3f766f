/**
 * What each TrafficControl's status says, and what its taps have carried, as metrics. Only the leader has them: two replicas would count
 * everything twice. The label is the TrafficControl's name; its series go with it.
 */
import { CONDITIONS, type TrafficControl, type TrafficControlStatus } from "../api";
import type { Clock, EngineMetrics } from "../engine";
import type { PlanFacts } from "../planning";

/** Packets and bytes of one TrafficControl on one node, as last seen. */
interface Seen {
  packets: number;
  bytes: number;
}

export class ReportingMetrics {
  private readonly gauges;
  private readonly traffic;
  private readonly repaired;
  private readonly stoodDown;
  private readonly foreign;
  /** Monotonic time of the last moment in which every node was realized, by name. */
  private readonly realizedAt = new Map<string, number>();
  /** By node and the TrafficControl's UID. */
  private seen = new Map<string, Map<string, Seen>>();
  /** Repairs of each plan's node as last seen, by the plan's UID. */
  private seenRepairs = new Map<string, number>();
  private hasBaseline = false;

  constructor(
    metrics: EngineMetrics,
    private readonly clock: Clock,
  ) {
    const gauge = (name: string, help: string) => metrics.gauge(`trafficcontrol_${name}`, help, ["name"]);
    const counter = (name: string, help: string) => metrics.counter(`trafficcontrol_${name}`, help, ["name"]);
    this.gauges = {
      selectedPods: gauge("selected_pods", "Pods that a TrafficControl selects"),
      desiredNodes: gauge("desired_nodes", "Nodes where selected Pods run"),
      realizedNodes: gauge("realized_nodes", "Nodes where all selected Pods are programmed"),
      ready: gauge("ready", "1 if the condition Ready is True"),
      approximate: gauge("approximate", "1 if the condition Approximate is True: copies are taken by Mirror rows"),
      sinceRealized: gauge(
        "since_full_realization_seconds",
        "Seconds since all nodes with selected Pods were realized; since the controller knows of it, if they never were",
      ),
    };
    this.stoodDown = metrics.gauge(
      "trafficcontrol_stood_down",
      "1 while nothing is done because Antrea's agents act on TrafficControls themselves",
      [],
    );
    this.foreign = metrics.gauge(
      "trafficcontrol_schema_foreign",
      "1 while the CRD of TrafficControls is another one, without a status",
      [],
    );
    this.repaired = metrics.counter(
      "trafficcontrol_drift_repaired_total",
      "Times that flows or ports of ours had been changed by somebody else and were put right, as the nodes have reported",
      [],
    );
    this.traffic = {
      Mirror: {
        packets: counter("mirrored_packets_total", "Packets copied, as the nodes have reported"),
        bytes: counter("mirrored_bytes_total", "Bytes copied, as the nodes have reported"),
      },
      Redirect: {
        packets: counter("redirected_packets_total", "Packets redirected, as the nodes have reported"),
        bytes: counter("redirected_bytes_total", "Bytes redirected, as the nodes have reported"),
      },
    };
  }

  set(name: string, status: TrafficControlStatus): void {
    const isTrue = (type: string): boolean =>
      status.conditions?.some((condition) => condition.type === type && condition.status === "True") ?? false;
    const isReady = isTrue(CONDITIONS.ready);
    const { selectedPods = 0, desiredNodes = 0, realizedNodes = 0 } = status;
    this.gauges.selectedPods.set({ name }, selectedPods);
    this.gauges.desiredNodes.set({ name }, desiredNodes);
    this.gauges.realizedNodes.set({ name }, realizedNodes);
    this.gauges.ready.set({ name }, isReady ? 1 : 0);
    this.gauges.approximate.set({ name }, isTrue(CONDITIONS.approximate) ? 1 : 0);
    const isRealized = isReady && realizedNodes === desiredNodes;
    // Infinity: it is realized still.
    if (isRealized) this.realizedAt.set(name, Infinity);
    else if ((this.realizedAt.get(name) ?? Infinity) === Infinity) this.realizedAt.set(name, this.clock.monotonic());
    for (const { packets, bytes } of Object.values(this.traffic)) {
      packets.inc({ name }, 0);
      bytes.inc({ name }, 0);
    }
  }

  setStoodDown(standsDown: boolean): void {
    this.stoodDown.set({}, standsDown ? 1 : 0);
  }

  setForeign(isForeign: boolean): void {
    this.foreign.set({}, isForeign ? 1 : 0);
  }

  forget(name: string): void {
    this.realizedAt.delete(name);
    const traffic = Object.values(this.traffic).flatMap(({ packets, bytes }) => [packets, bytes]);
    for (const metric of [...Object.values(this.gauges), ...traffic]) metric.remove({ name });
  }

  /**
   * To be called before the metrics are read. Nodes report totals, which begin anew with their rules; what is there when this process
   * looks for the first time is not its own to count.
   */
  sample(plans: Iterable<PlanFacts>, trafficControls: { get(name: string): TrafficControl | undefined }): void {
    const now = this.clock.monotonic();
    for (const [name, at] of this.realizedAt)
      this.gauges.sinceRealized.set({ name }, at === Infinity ? 0 : (now - at) / 1000);
    const seen = new Map<string, Map<string, Seen>>();
    const grown = new Map<TrafficControl, Seen>();
    const repairs = new Map<string, number>();
    for (const { node, uid: plan, status } of plans) {
      repairs.set(plan, status.repairs ?? 0);
      if (this.hasBaseline) this.repaired.inc(growth(this.seenRepairs.get(plan) ?? 0, status.repairs ?? 0));
      const seenBefore = this.seen.get(node);
      const seenNow = new Map<string, Seen>();
      seen.set(node, seenNow);
      for (const { name, uid, packets = 0, bytes = 0 } of status.rules ?? []) {
        seenNow.set(uid, { packets, bytes });
        const trafficControl = trafficControls.get(name);
        if (!this.hasBaseline || trafficControl?.metadata.uid !== uid) continue;
        const before = seenBefore?.get(uid);
        const sum = grown.get(trafficControl) ?? { packets: 0, bytes: 0 };
        sum.packets += growth(before?.packets ?? 0, packets);
        sum.bytes += growth(before?.bytes ?? 0, bytes);
        grown.set(trafficControl, sum);
      }
    }
    // Once for each TrafficControl: a counter that is found by its labels costs more than the sum of a thousand nodes.
    for (const [{ metadata, spec }, { packets, bytes }] of grown) {
      const { name = "" } = metadata;
      this.traffic[spec.action].packets.inc({ name }, packets);
      this.traffic[spec.action].bytes.inc({ name }, bytes);
    }
    this.seen = seen;
    this.seenRepairs = repairs;
    this.hasBaseline = true;
  }
}

function growth(before: number, after: number): number {
  return after >= before ? after - before : after;
}
