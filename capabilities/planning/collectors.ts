/** Where tunnels lead: packets on their way there are never mirrored or redirected again, on any node. */
import type { PlanPort, PlanSpec, TrafficControl } from "../api";
import { planPort } from "./ports";
import { compareText } from "./precedence";

export type Collector = NonNullable<PlanSpec["collectors"]>[number];

/** Far ends of all tunnels of the TrafficControls, each once, ordered. */
export function collectorsOf(trafficControls: Iterable<TrafficControl>): Collector[] {
  const found = new Map<string, Collector>();
  for (const { spec } of trafficControls)
    for (const port of [spec.targetPort, spec.returnPort]) {
      const collector = port && collectorOf(planPort(port));
      if (collector) found.set(`${collector.remoteIP} ${collector.udpPort ?? ""}`, collector);
    }
  return [...found].sort(([a], [b]) => compareText(a, b)).map(([, collector]) => collector);
}

function collectorOf({ geneve, vxlan, gre, erspan }: PlanPort): Collector | undefined {
  const udp = geneve ?? vxlan;
  if (udp) return { remoteIP: udp.remoteIP, udpPort: udp.destinationPort };
  const other = gre ?? erspan;
  return other && { remoteIP: other.remoteIP };
}
