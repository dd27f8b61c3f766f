/** The order in which TrafficControls act: the oldest first. */
import type { TrafficControl } from "../api";

/** Which of two comes first: creation time, then name. For Array.sort. */
export function precedence(a: TrafficControl, b: TrafficControl): number {
  return createdAt(a) - createdAt(b) || compareText(a.metadata.name ?? "", b.metadata.name ?? "");
}

/** By code units, not by locale: the same on every machine. */
export function compareText(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

function createdAt({ metadata }: TrafficControl): number {
  return Date.parse(metadata.creationTimestamp ?? "") || 0;
}
