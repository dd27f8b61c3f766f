/**
 * Where tunnels lead: packets on their way there are never mirrored or redirected again, on any node. So every plan names all of them, and
 * there is room for a thousand. Kept up to date TrafficControl by TrafficControl; asked by the controller's desired state.
 */
import type { PlanPort, PlanSpec, TrafficControl } from "../api";
import { MAXIMUM_ITEMS } from "./plan";
import { planPort } from "./ports";
import { compareText, inPrecedence } from "./precedence";

export type Collector = NonNullable<PlanSpec["collectors"]>[number];

export interface Tunnels {
  /** Far ends of the tunnels that there is room for, each once, ordered. */
  collectors: readonly Collector[];
  /** UIDs of the TrafficControls that have another one: they must get no rule, or their copies would be copied. */
  withoutRoom: ReadonlySet<string>;
}

/** Far ends of the TrafficControl's tunnels by their key. */
function collectorsOf({ spec }: TrafficControl): Map<string, Collector> {
  const found = new Map<string, Collector>();
  for (const port of [spec.targetPort, spec.returnPort]) {
    const collector = port && collectorOf(planPort(port));
    if (collector) found.set(`${collector.remoteIP} ${collector.udpPort ?? ""}`, collector);
  }
  return found;
}

/** Of all of them, those that are being deleted included: their packets may still be on their way. Where room is short, the oldest have it. */
export function tunnelsOf(trafficControls: Iterable<TrafficControl>, room = MAXIMUM_ITEMS): Tunnels {
  const found = new Map<string, Collector>();
  const withoutRoom = new Set<string>();
  for (const trafficControl of inPrecedence(trafficControls)) {
    const own = collectorsOf(trafficControl);
    const added = [...own.keys()].filter((key) => !found.has(key)).length;
    if (found.size + added > room) withoutRoom.add(trafficControl.metadata.uid ?? "");
    else for (const [key, collector] of own) found.set(key, collector);
  }
  return { collectors: inOrder(found), withoutRoom };
}

/** The same, kept up to date. As long as there is room for all, a change that brings no new end and takes none costs nothing. */
export class TunnelIndex {
  private readonly trafficControls = new Map<string, TrafficControl>();
  private readonly ends = new Map<string, { collector: Collector; users: number }>();
  private current: Tunnels | undefined;

  constructor(private readonly room = MAXIMUM_ITEMS) {}

  set(name: string, trafficControl: TrafficControl | undefined): void {
    const before = this.trafficControls.get(name);
    // Who has room depends on the age of each.
    if (this.ends.size > this.room) this.current = undefined;
    for (const [key, collector] of trafficControl === undefined ? [] : collectorsOf(trafficControl)) {
      const end = this.ends.get(key);
      if (end === undefined) this.current = undefined;
      this.ends.set(key, { collector, users: (end?.users ?? 0) + 1 });
    }
    for (const [key, collector] of before === undefined ? [] : collectorsOf(before)) {
      const users = this.ends.get(key)!.users - 1;
      if (users > 0) this.ends.set(key, { collector, users });
      else {
        this.ends.delete(key);
        this.current = undefined;
      }
    }
    if (trafficControl === undefined) this.trafficControls.delete(name);
    else this.trafficControls.set(name, trafficControl);
  }

  /** The same object as long as nothing has changed. */
  tunnels(): Tunnels {
    this.current ??=
      this.ends.size > this.room
        ? tunnelsOf(this.trafficControls.values(), this.room)
        : {
            collectors: inOrder(new Map([...this.ends].map(([key, { collector }]) => [key, collector]))),
            withoutRoom: new Set(),
          };
    return this.current;
  }
}

function inOrder(found: ReadonlyMap<string, Collector>): Collector[] {
  return [...found].sort(([a], [b]) => compareText(a, b)).map(([, collector]) => collector);
}

function collectorOf({ geneve, vxlan, gre, erspan }: PlanPort): Collector | undefined {
  const udp = geneve ?? vxlan;
  if (udp) return { remoteIP: udp.remoteIP, udpPort: udp.destinationPort };
  const other = gre ?? erspan;
  return other && { remoteIP: other.remoteIP };
}
