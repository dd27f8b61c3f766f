/**
 * The rules of a TrafficControl as pure functions: any JSON in, all mistakes or warnings out. Called by the admission
 * callbacks; they say what the CEL rules of crds/trafficcontrols.yaml say, all at once and with suggestions.
 */
import { TunnelEnds } from "./ends";
import type { Mistake } from "./mistake";
import { Overlay } from "./overlay";
import { Peers } from "./peers";
import { trafficControl } from "./spec";

export { TunnelEnds } from "./ends";
export { format, KINDS, type Mistake, type MistakeKind } from "./mistake";
export { Overlay, OVERLAY_ANNOTATIONS, type NodeFacts } from "./overlay";
export { Peers } from "./peers";
export { MESSAGES } from "./messages";
export { formatWarning, warnings, type Warning, type WarningCode } from "./warning";

/** Everything that is wrong with this one object. Never throws, whatever it is given. */
export function mistakes(object: unknown): Mistake[] {
  return trafficControl({ path: "", value: object }).map((found) => ({
    ...found,
    path: found.path.slice(1) || "TrafficControl",
  }));
}

/** What else there is in the cluster that matters to a TrafficControl. */
export class Surroundings {
  readonly peers = new Peers();
  readonly overlay = new Overlay();
  readonly ends = new TunnelEnds();
}
