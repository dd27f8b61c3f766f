/** Made-up plans of many Pods, as the compiler's input. Pure; used by flows.ts. */
import type { BridgeInput } from "../../../packages/node-programmer/src/pipeline";

/** `pods` Pods, each selected by `rules` TrafficControls in both directions, whose copies go to `rules` targets. */
export function input(pods: number, rules: number): BridgeInput {
  const targets = Array.from({ length: rules }, (_, index) => 20_000 + index);
  const bits = targets.map((_, bit) => bit);
  return {
    pipeline: "Switched",
    planHash: `${pods} Pods, ${rules} rules`,
    taps: targets.map((target, bit) => ({ uid: `rule-${bit}`, target, bit })),
    pods: Array.from({ length: pods }, (_, index) => ({
      ofport: 100 + index,
      egress: bits,
      ingress: bits,
      macs: [mac(index)],
      vlans: [0],
    })),
    taggedPorts: [],
    relays: [],
    silentPorts: targets,
    carriedTunnels: [],
  };
}

/** A different address for each number. */
export function mac(index: number): string {
  return `0a:00:00:00:${hex(index >> 8)}:${hex(index & 0xff)}`;
}

function hex(octet: number): string {
  return octet.toString(16).padStart(2, "0");
}
