/**
 * Plan → flows of one bridge. Pure: no clock, no Open vSwitch. Called by the reconciler; what the flows mean is in
 * flows.ts, where the tables stand in tables.ts. This is the switched pipeline; OVN's is in ovn/.
 *
 * Size: 2 · Pods (one more per further MAC or VLAN) + rules + targets + tagged ports of the bridge + a constant; no
 * product of anything with anything, because each rule is a bit that source and destination set independently. Redirects
 * add 2 per redirect, 2 or 3 per redirected Pod (and MAC and VLAN) and 3 per return port.
 */
import { flowKey } from "ovs-ofctl-wrapper";
import type { Flow } from "ovs-ofctl-wrapper";
import * as packet from "./flows";
import type { BridgeInput, PodPort, Redirection, Relay, Tap, Visitor } from "./input";
import { compileOvn } from "./ovn/compile";
import * as device from "./redirect-flows";
import { HAND_BACK, REDIRECT } from "./tables";

/** Everything of ours that has to be on the bridge; empty if nothing on this bridge is wanted or carried. */
export function compile(input: BridgeInput): Flow[] {
  const { redirection } = input;
  if (input.taps.length === 0 && input.relays.length === 0 && input.silentPorts.length === 0 && !redirection) return [];
  if (input.pipeline === "MirrorRows") return compileBesideMirrors(input);
  return input.pipeline === "OVN" ? compileOvn(input) : compileSwitched(input);
}

/** Nothing of the pipeline is ours but our own ports; the marker is there to be changed after the rows (see BridgeFlows.settle). */
function compileBesideMirrors({ silentPorts, taps, planHash }: BridgeInput): Flow[] {
  const own = unique([...silentPorts, ...taps.map(({ target }) => target)]);
  return [...own.map(packet.isInjectedBesideMirrors), packet.marksThePlan(planHash)];
}

function compileSwitched(input: BridgeInput): Flow[] {
  const { redirection } = input;
  const talking = new Set([...input.relays.map((relay) => relay.from), ...(redirection?.returns ?? [])]);
  const targets = unique(input.taps.map((tap) => tap.target));
  const exits = (redirection?.redirects ?? []).flatMap(({ target }) => target ?? []);
  const next = redirection ? REDIRECT : HAND_BACK;
  return [
    packet.isSteeredHere(),
    ...input.relays.map(relay),
    ...unique([...input.silentPorts, ...targets, ...exits])
      .filter((ofport) => !talking.has(ofport))
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
    ...(targets.length > 0 ? [packet.isWanted(targets, next)] : []),
    packet.isNotWanted(next),
    ...copies(input.taps),
    ...(redirection ? redirected(redirection) : []),
    packet.goesItsOwnWay(registersFor(input.taps), redirection !== undefined),
    packet.marksThePlan(input.planHash),
  ];
}

function relay(arriving: Relay): Flow {
  return arriving.returns ? device.arrivesToBeInspected(arriving) : packet.arrivesFromAnotherBridge(arriving);
}

function redirected({ redirects, returns, homes, visitors }: Redirection): Flow[] {
  const ordered = [...homes].sort(byOfport);
  return [
    ...unique(returns).flatMap(device.comesBack),
    ...redirects.flatMap(device.isTakenAway),
    device.isNotTakenAway(),
    ...device.knowsItsWay(),
    // Of two ports with one MAC in one VLAN the lower number is asked; what was learned comes first anyway.
    ...uniqueBy([...ordered].reverse().flatMap(device.isFromHere), flowKey),
    ...uniqueBy([...ordered].reverse().flatMap(device.isForHere), flowKey),
    ...uniqueBy([...visitors].sort(byPair).flatMap(device.isFromBeyond), flowKey),
    device.isLost(),
  ];
}

function senders(pods: readonly PodPort[]): Flow[] {
  return pods
    .filter((pod) => pod.egress.length > 0 || pod.egressRedirect !== undefined)
    .sort(byOfport)
    .map(packet.isSentByPod);
}

/** Two ports may hold one MAC in one VLAN (a Pod that is being replaced): whoever of them is meant, the packet is wanted. */
function receivers(pods: readonly PodPort[]): Flow[] {
  const wanted = new Map<string, Receiver>();
  for (const pod of [...pods].sort(byOfport)) {
    if (pod.ingress.length === 0 && pod.ingressRedirect === undefined) continue;
    for (const vlan of pod.vlans === "any" ? ANY_VLAN : pod.vlans) {
      for (const mac of pod.macs) {
        const key = `${vlan} ${mac}`;
        const other = wanted.get(key);
        wanted.set(key, {
          ...{ vlan, mac },
          copies: other ? [...new Set([...other.copies, ...pod.ingress])] : pod.ingress,
          redirect: other?.redirect ?? pod.ingressRedirect,
        });
      }
    }
  }
  return [...wanted.values()].map((receiver) => packet.isForPod(receiver.vlan, receiver.mac, receiver));
}

interface Receiver extends packet.Wants {
  vlan: number | "any";
  mac: string;
}

const ANY_VLAN = ["any"] as const;

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

function byPair(a: Visitor, b: Visitor): number {
  return b.by - a.by;
}

function unique(values: readonly number[]): number[] {
  return [...new Set(values)].sort((a, b) => a - b);
}

function uniqueBy<T>(values: readonly T[], key: (value: T) => string): T[] {
  return [...new Map(values.map((value) => [key(value), value])).values()];
}
