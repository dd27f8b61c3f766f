/**
 * Plan → flows of one bridge. Pure: no clock, no Open vSwitch. Called by the reconciler; what the flows mean is in
 * flows.ts, where the tables stand in tables.ts.
 *
 * Size: 2 · Pods (one more per further MAC or VLAN) + rules + targets + tagged ports of the bridge + a constant; no
 * product of anything with anything, because each rule is a bit that source and destination set independently.
 */
import type { Flow } from "ovs-ofctl-wrapper";
import * as packet from "./flows";
import type { BridgeInput, PodPort, Tap } from "./input";

/** Everything of ours that has to be on the bridge; empty if nothing on this bridge is wanted or carried. */
export function compile(input: BridgeInput): Flow[] {
  if (input.taps.length === 0 && input.relays.length === 0 && input.silentPorts.length === 0) return [];
  const relayed = new Set(input.relays.map((relay) => relay.from));
  const targets = unique(input.taps.map((tap) => tap.target));
  return [
    packet.isSteeredHere(),
    ...input.relays.map(packet.arrivesFromAnotherBridge),
    ...unique([...input.silentPorts, ...targets])
      .filter((ofport) => !relayed.has(ofport))
      .map(packet.isInjectedByTarget),
    ...unique(input.idleMembers ?? []).map(packet.arrivesByIdleMember),
    ...uniqueBy(input.carriedTunnels.map(packet.isCopyOnItsWay), (flow) => flow.match),
    ...packet.isNeighbourDiscovery(),
    ...packet.isIP(),
    ...[...input.taggedPorts].sort(byOfport).map(packet.entersByTaggedPort),
    packet.carriesItsVlan(),
    ...senders(input.pods),
    packet.isSentBySomebodyElse(),
    ...receivers(input.pods),
    packet.isForSomebodyElse(),
    ...(targets.length > 0 ? [packet.isWanted(targets)] : []),
    packet.isNotWanted(),
    ...copies(input.taps),
    packet.goesItsOwnWay(registersFor(input.taps)),
    packet.marksThePlan(input.planHash),
  ];
}

function senders(pods: readonly PodPort[]): Flow[] {
  return pods
    .filter((pod) => pod.egress.length > 0)
    .sort(byOfport)
    .map(packet.isSentByPod);
}

/** Two ports may hold one MAC in one VLAN (a Pod that is being replaced): whoever of them is meant, the packet is wanted. */
function receivers(pods: readonly PodPort[]): Flow[] {
  const wanted = new Map<string, { vlan: number | "any"; mac: string; bits: Set<number> }>();
  for (const pod of [...pods].sort(byOfport)) {
    if (pod.ingress.length === 0) continue;
    for (const vlan of pod.vlans === "any" ? (["any"] as const) : pod.vlans) {
      for (const mac of pod.macs) {
        const key = `${vlan} ${mac}`;
        const entry = wanted.get(key) ?? { vlan, mac, bits: new Set<number>() };
        for (const bit of pod.ingress) entry.bits.add(bit);
        wanted.set(key, entry);
      }
    }
  }
  return [...wanted.values()].map(({ vlan, mac, bits }) => packet.isForPod(vlan, mac, bits));
}

function copies(taps: readonly Tap[]): Flow[] {
  const ranks = new Map<number, number>();
  return taps.map((tap) => {
    const rank = ranks.get(tap.target) ?? 0;
    ranks.set(tap.target, rank + 1);
    return packet.isCopied(tap, rank);
  });
}

function registersFor(taps: readonly Tap[]): number {
  return Math.max(0, ...taps.map((tap) => Math.floor(tap.bit / 32) + 1));
}

function byOfport(a: { ofport: number }, b: { ofport: number }): number {
  return a.ofport - b.ofport;
}

function unique(values: readonly number[]): number[] {
  return [...new Set(values)].sort((a, b) => a - b);
}

function uniqueBy<T>(values: readonly T[], key: (value: T) => string): T[] {
  return [...new Map(values.map((value) => [key(value), value])).values()];
}
