/** The order in which TrafficControls act: the oldest first. */
import type { TrafficControl } from "../api";

/** Which of two comes first: creation time, then name. For Array.sort. */
export function precedence(a: TrafficControl, b: TrafficControl): number {
  return createdAt(a) - createdAt(b) || compareText(a.metadata.name ?? "", b.metadata.name ?? "");
}

/** Those of the set, the oldest first. Each time stamp is read once, not once per comparison. */
export function inPrecedence(trafficControls: Iterable<TrafficControl>): TrafficControl[] {
  const stamped = Array.from(trafficControls, (trafficControl) => ({ trafficControl, at: createdAt(trafficControl) }));
  const name = ({ trafficControl }: { trafficControl: TrafficControl }): string => trafficControl.metadata.name ?? "";
  stamped.sort((a, b) => a.at - b.at || compareText(name(a), name(b)));
  return stamped.map(({ trafficControl }) => trafficControl);
}

/** By code units, not by locale: the same on every machine. */
export function compareText(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

function createdAt({ metadata }: TrafficControl): number {
  return Date.parse(metadata.creationTimestamp ?? "") || 0;
}
