/** Several Redirects on one Pod: the oldest of each direction acts, the others are told by whom they are overruled. */
import type { TrafficControl } from "../api";
import { precedence } from "./precedence";

/** Who overrules a Redirect, and on how many Pods. */
export interface Overruled {
  /** Name of the oldest TrafficControl that does. */
  winner: string;
  pods: number;
}

type Direction = "Egress" | "Ingress";

/** `onPods`: for each Pod that `loser` selects, all TrafficControls that select it. undefined if it is overruled nowhere. */
export function overruled(loser: TrafficControl, onPods: Iterable<readonly TrafficControl[]>): Overruled | undefined {
  const winners = new Set<TrafficControl>();
  let pods = 0;
  for (const all of onPods) {
    const stronger = all.filter((other) => overrules(other, loser));
    if (stronger.length === 0) continue;
    pods++;
    for (const winner of stronger) winners.add(winner);
  }
  const [first] = [...winners].sort(precedence);
  return first && { winner: first.metadata.name ?? "", pods };
}

function overrules(other: TrafficControl, loser: TrafficControl): boolean {
  return (
    other.spec.action === "Redirect" &&
    precedence(other, loser) < 0 &&
    directions(other).some((direction) => directions(loser).includes(direction))
  );
}

function directions({ spec }: TrafficControl): Direction[] {
  return spec.direction === "Both" ? ["Egress", "Ingress"] : [spec.direction];
}
