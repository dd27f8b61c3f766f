/** Several Redirects on one Pod: the oldest of each direction acts, the others are told by whom they are overruled. */
import type { TrafficControl } from "../api";
import { inPrecedence, precedence } from "./precedence";

/** Who overrules a Redirect, and on how many Pods. */
export interface Overruled {
  /** Name of the oldest TrafficControl that does. */
  winner: string;
  pods: number;
}

type Direction = "Egress" | "Ingress";

/** Pods that the same Redirects select. */
export interface Rivals {
  pods: number;
  /** All Redirects in force that select them, in any order. */
  redirects: readonly TrafficControl[];
}

/** `groups`: all Pods that `loser` selects. undefined if it is overruled nowhere. */
export function overruled(loser: TrafficControl, groups: Iterable<Rivals>): Overruled | undefined {
  const winners = new Set<TrafficControl>();
  let concerned = 0;
  for (const { pods, redirects } of groups) {
    const stronger = redirects.filter((other) => overrules(other, loser));
    if (stronger.length === 0) continue;
    concerned += pods;
    for (const winner of stronger) winners.add(winner);
  }
  const [first] = inPrecedence(winners);
  return first && { winner: first.metadata.name ?? "", pods: concerned };
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
