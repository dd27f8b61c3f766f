/**
 * What is inside an inspection device when a redirect ends or gets other ports comes back all the same: its return side and
 * its ports stay for a while. Knows no clock; owned by the reconciler, which tells it the time.
 */
import type { BridgeInput, Home, Pipeline, Redirection, Relay, Visitor } from "../pipeline";

/** Milliseconds that a return side outlives the last moment in which its redirect can have taken something away. */
const DRAIN = 2_000;

/** What packets need in order to come back, on one bridge. */
interface Side {
  pipeline: Pipeline;
  returns: readonly number[];
  homes: readonly Home[];
  visitors: readonly Visitor[];
  relays: readonly Relay[];
  /** Ports that are kept, but do not inject anything. */
  silent: readonly number[];
}

interface ReturnSides {
  sides: ReadonlyMap<string, Side>;
  /** Names of all ports of redirects. */
  ports: ReadonlySet<string>;
  /** UIDs of redirects. */
  uids: ReadonlySet<string>;
}

interface Leaving extends ReturnSides {
  /** Infinity as long as the flows that end it are not in force. */
  until: number;
}

/** The present pass, as far as redirects are concerned. */
export interface Present {
  inputs: ReadonlyMap<string, BridgeInput>;
  ports: ReadonlySet<string>;
  uids: ReadonlySet<string>;
}

/** What is to be done with regard to what is on its way. */
export interface Drained {
  inputs: ReadonlyMap<string, BridgeInput>;
  /** Ports that must not go yet. */
  ports: ReadonlySet<string>;
  /** A redirect has left the plan and is not gone yet. */
  isRetiring: boolean;
}

export class Drain {
  private last: ReturnSides = { sides: new Map(), ports: new Set(), uids: new Set() };
  private leaving: Leaving[] = [];

  /** Nothing can come back any more: ovs-vswitchd was away, and port numbers may be others. */
  forget(): void {
    this.leaving = [];
    this.last = { sides: new Map(), ports: new Set(), uids: new Set() };
  }

  /** Adds to the present what still has to be there. `now` in milliseconds. */
  add(present: Present, planHash: string, now: number): Drained {
    const sides = new Map([...present.inputs].flatMap(([name, input]) => sideOf(name, input)));
    if (hasLeft(this.last, { ...present, sides })) this.leaving.push({ ...this.last, until: Infinity });
    this.last = { sides, ports: present.ports, uids: present.uids };
    this.leaving = this.leaving.filter(({ until }) => until > now);
    const inputs = new Map(present.inputs);
    for (const { sides: left } of this.leaving)
      for (const [bridge, side] of left)
        inputs.set(bridge, withSide(inputs.get(bridge) ?? nothing(side.pipeline, planHash), side));
    return {
      inputs,
      ports: new Set(this.leaving.flatMap(({ ports }) => [...ports])),
      isRetiring: this.leaving.some(({ uids }) => [...uids].some((uid) => !present.uids.has(uid))),
    };
  }

  /** The flows are in force on all bridges: from now on nothing more goes into a device whose redirect has ended. */
  begin(now: number): void {
    for (const each of this.leaving) each.until = Math.min(each.until, now + DRAIN);
  }

  /** Milliseconds until something may go; null if nothing is on its way. */
  wait(now: number): number | null {
    if (this.leaving.length === 0) return null;
    const next = Math.min(...this.leaving.map(({ until }) => until)) - now;
    // Not begun: the pass is repeated anyway.
    return Number.isFinite(next) ? Math.max(0, next) : DRAIN;
  }
}

function sideOf(bridge: string, { pipeline, redirection, relays, silentPorts }: BridgeInput): [string, Side][] {
  const redirected = relays.filter(({ inspected }) => inspected);
  if (!redirection && redirected.length === 0) return [];
  const { returns = [], homes = [], visitors = [] } = redirection ?? {};
  return [[bridge, { pipeline, returns, homes, visitors, relays: redirected, silent: silentPorts }]];
}

/** Whether anything of what was is missing now, targets apart: nothing comes back through them. */
function hasLeft(before: ReturnSides, now: ReturnSides): boolean {
  if ([...before.ports].some((name) => !now.ports.has(name))) return true;
  return [...before.sides].some(([bridge, side]) => {
    const still = now.sides.get(bridge);
    if (!still) return true;
    const relays = new Set(still.relays.map(({ from }) => from));
    const homes = new Map(still.homes.map((home) => [home.ofport, home]));
    return (
      side.returns.some((ofport) => !still.returns.includes(ofport)) ||
      side.relays.some(({ from }) => !relays.has(from)) ||
      side.visitors.some((visitor) => !still.visitors.some((other) => isSame(visitor, other))) ||
      side.homes.some((home) => !isWithin(home, homes.get(home.ofport)))
    );
  });
}

function isSame(a: Visitor, b: Visitor): boolean {
  return a.by === b.by && a.macs.join() === b.macs.join();
}

/** Whether what comes back to `before` still comes back. */
function isWithin(before: Home, now: Home | undefined): boolean {
  return now !== undefined && (now.sends || !before.sends) && (now.receives || !before.receives);
}

function withSide(input: BridgeInput, side: Side): BridgeInput {
  const before: Redirection = input.redirection ?? { redirects: [], returns: [], homes: [], visitors: [] };
  const used = new Set(input.pods.map(({ ofport }) => ofport));
  const homes = new Map(before.homes.map((home) => [home.ofport, home]));
  // Who has an address now gets what is for it.
  const taken = new Set(before.homes.flatMap(addresses));
  for (const gone of side.homes) {
    const now = homes.get(gone.ofport);
    const left = now ? gone : { ...gone, macs: gone.macs.filter((mac) => !taken.has(addressOf(gone, mac))) };
    homes.set(
      left.ofport,
      now ? { ...now, sends: now.sends || left.sends, receives: now.receives || left.receives } : left,
    );
  }
  const relays = new Set(input.relays.map(({ from }) => from));
  return {
    ...input,
    relays: [...input.relays, ...side.relays.filter(({ from }) => !relays.has(from))],
    silentPorts: [...new Set([...input.silentPorts, ...side.silent.filter((ofport) => !used.has(ofport))])],
    redirection: {
      ...before,
      returns: [...new Set([...before.returns, ...side.returns])],
      homes: [...homes.values()],
      visitors: [
        ...before.visitors,
        ...side.visitors.filter((visitor) => !before.visitors.some((other) => isSame(visitor, other))),
      ],
    },
  };
}

function addresses(home: Home): string[] {
  return home.macs.map((mac) => addressOf(home, mac));
}

/** In its VLANs: another tenant's machine may have the same. */
function addressOf({ frames }: Home, mac: string): string {
  return `${mac} ${String(frames)}`;
}

function nothing(pipeline: Pipeline, planHash: string): BridgeInput {
  return { pipeline, planHash, taps: [], pods: [], taggedPorts: [], relays: [], silentPorts: [], carriedTunnels: [] };
}
