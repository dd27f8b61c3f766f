/**
 * Plan → flows of OVN's integration bridge. Pure, as its sibling for switched bridges is.
 *
 * Size: per Pod 3 for what it sends, 3 (2 more per further MAC) for what it gets; per rule 1; per redirect 2, per redirected Pod
 * and MAC 1 or 2, per return port 3; per set of targets that Pods' own packets are copied to 1.
 */
import { flowKey } from "ovs-ofctl-wrapper";
import type { Flow } from "ovs-ofctl-wrapper";
import { marksThePlan } from "../flows";
import type { BridgeInput, PodPort, Redirection, Tap } from "../input";
import { isFromBeyond } from "../redirect-flows";
import * as packet from "./flows";
import * as device from "./redirect-flows";
import { MOST_SETS, MOST_TARGETS } from "./tables";

export function compileOvn(input: BridgeInput): Flow[] {
  const { redirection, taps } = input;
  const talking = new Set([...input.relays.map(({ from }) => from), ...(redirection?.returns ?? [])]);
  const targets = unique(taps.map(({ target }) => target));
  const exits = (redirection?.redirects ?? []).flatMap(({ target }) => target ?? []);
  const registers = Math.max(0, ...taps.map(({ bit }) => Math.floor(bit / 32) + 1));
  const sets = setsOf(input.pods, taps, targets);
  const senders = input.pods.filter(isSender).sort(byOfport);
  const receivers = input.pods.filter(isReceiver).sort(byOfport);
  return uniqueBy([
    ...unique([...input.silentPorts, ...targets, ...exits])
      .filter((ofport) => !talking.has(ofport))
      .map(packet.isInjectedByTarget),
    ...input.relays.map(packet.arrivesFromAnotherBridge),
    ...senders.flatMap(({ ofport }) => packet.leavesPod(ofport)),
    ...receivers.flatMap(({ key, macs }) =>
      macs.flatMap((mac) => packet.reachesPod(key!, mac, registers, input.leavesByGeneve === true)),
    ),
    ...input.carriedTunnels.map(packet.isCopyOnItsWay),
    ...packet.isNeighbourDiscovery(),
    packet.isLookedAt(),
    ...sets.map((bits, number) => packet.hasBeenCopied(number, bits)),
    packet.hasNotBeenCopied(),
    ...senders.map((pod) =>
      packet.isSentByPod(
        pod.ofport,
        { copies: pod.egress, redirect: pod.egressRedirect },
        setOf(pod, taps, targets, sets),
      ),
    ),
    packet.isReceived(),
    ...receivers.map((pod) => packet.isForPod(pod.key!, { copies: pod.ingress, redirect: pod.ingressRedirect })),
    packet.isForSomebodyElse(),
    ...(targets.length > 0 ? [packet.isWanted(targets)] : []),
    packet.isNotWanted(),
    ...copies(taps, targets),
    ...(redirection?.redirects ?? []).flatMap(device.isTakenAway),
    device.isNotTakenAway(),
    ...(redirection ? comingBack(redirection, input.pods, (pod) => setOf(pod, taps, targets, sets)) : []),
    ...packet.goesItsOwnWay(registers),
    // What is sent has nothing in the marker's register here, and what is received meets a higher flow.
    marksThePlan(input.planHash),
  ]);
}

function comingBack(
  { returns, homes, visitors }: Redirection,
  pods: readonly PodPort[],
  setFor: (pod: PodPort) => number | undefined,
): Flow[] {
  const ordered = [...homes].sort(byOfport);
  const byPort = new Map(pods.map((pod) => [pod.ofport, pod]));
  return [
    ...unique(returns).flatMap(device.comesBack),
    ...ordered
      .filter(({ sends }) => sends)
      .flatMap((home) => {
        const pod = byPort.get(home.ofport);
        return device.wasSentBy(home, pod && setFor(pod));
      }),
    ...ordered.filter(({ receives }) => receives).flatMap(device.wasFor),
    ...[...visitors].sort((a, b) => a.by - b.by).flatMap(isFromBeyond),
    device.isLost(),
  ];
}

/**
 * The different sets of targets that get a copy of what some Pod sends, as bits; their places are their numbers. Only while
 * there are receivers that could be copied the same packet again.
 */
function setsOf(pods: readonly PodPort[], taps: readonly Tap[], targets: readonly number[]): number[][] {
  if (!pods.some(({ ingress }) => ingress.length > 0)) return [];
  const sets = pods.map((pod) => bitsOf(pod, taps, targets)).filter((bits) => bits.length > 0);
  return [...new Map(sets.map((bits) => [bits.join(), bits])).entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, bits]) => bits)
    .slice(0, MOST_SETS);
}

function setOf(
  pod: PodPort,
  taps: readonly Tap[],
  targets: readonly number[],
  sets: readonly number[][],
): number | undefined {
  const own = bitsOf(pod, taps, targets).join();
  const number = sets.findIndex((bits) => bits.join() === own);
  return number < 0 ? undefined : number;
}

function bitsOf({ egress }: PodPort, taps: readonly Tap[], targets: readonly number[]): number[] {
  const rules = new Set(egress);
  return unique(taps.filter(({ bit }) => rules.has(bit)).map(({ target }) => targets.indexOf(target))).filter(
    (bit) => bit < MOST_TARGETS,
  );
}

function copies(taps: readonly Tap[], targets: readonly number[]): Flow[] {
  const ranks = new Map<number, number>();
  return taps.map((tap) => {
    const rank = ranks.get(tap.target) ?? 0;
    ranks.set(tap.target, rank + 1);
    const place = targets.indexOf(tap.target);
    return packet.isCopied(tap, rank, place < MOST_TARGETS ? place : undefined);
  });
}

function isSender({ egress, egressRedirect }: PodPort): boolean {
  return egress.length > 0 || egressRedirect !== undefined;
}

function isReceiver({ key, ingress, ingressRedirect }: PodPort): boolean {
  return key !== undefined && (ingress.length > 0 || ingressRedirect !== undefined);
}

function byOfport(a: { ofport: number }, b: { ofport: number }): number {
  return a.ofport - b.ofport;
}

function unique(values: readonly number[]): number[] {
  return [...new Set(values)].sort((a, b) => a - b);
}

/** Of two flows of one identity the first: a lower port number. */
function uniqueBy(flows: readonly Flow[]): Flow[] {
  const first = new Map<string, Flow>();
  for (const flow of flows) if (!first.has(flowKey(flow))) first.set(flowKey(flow), flow);
  return [...first.values()];
}
