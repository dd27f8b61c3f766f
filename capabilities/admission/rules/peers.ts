/**
 * What one TrafficControl takes away from another: a port name is one port of one kind in one role, and Open vSwitch makes
 * one ERSPAN tunnel per far end and session. The index answers in the same time however many there are. Two creations
 * that race are not seen here; the controller tells the loser by a condition.
 */
import { claims, type Claim } from "./claim";
import type { Mistake } from "./mistake";
import { warning, type Warning } from "./warning";

/** How some TrafficControls use one port: all in the same roles and the same shape. */
interface Usage {
  claims: Claim[];
  names: Set<string>;
}

export class Peers {
  /** Usages by port; more than one only until the controller has told a loser. */
  private readonly byPort = new Map<string, Map<string, Usage>>();
  private readonly bySpec = new Map<string, Set<string>>();
  private readonly specs = new Map<string, unknown>();

  put(name: string, spec: unknown): void {
    this.remove(name);
    this.specs.set(name, spec);
    for (const { port, key, claims } of usages(spec)) {
      const users = getOrAdd(this.byPort, port, () => new Map<string, Usage>());
      getOrAdd(users, key, () => ({ claims, names: new Set<string>() })).names.add(name);
    }
    getOrAdd(this.bySpec, fingerprint(spec), () => new Set<string>()).add(name);
  }

  remove(name: string): void {
    if (!this.specs.has(name)) return;
    const spec = this.specs.get(name);
    this.specs.delete(name);
    for (const { port, key } of usages(spec)) {
      const users = this.byPort.get(port);
      const usage = users?.get(key);
      usage?.names.delete(name);
      if (usage?.names.size === 0) users?.delete(key);
      if (users?.size === 0) this.byPort.delete(port);
    }
    const print = fingerprint(spec);
    const twins = this.bySpec.get(print);
    twins?.delete(name);
    if (twins?.size === 0) this.bySpec.delete(print);
  }

  /** What in this spec contradicts others; at most one mistake per port of it. */
  conflicts(name: string, spec: unknown): Mistake[] {
    const ours = usages(spec);
    return ours.flatMap(({ port, claims: own }) =>
      own.flatMap((claim) => {
        for (const { claims: theirs, names } of this.byPort.get(port)?.values() ?? []) {
          const other = firstBut(name, names);
          if (other === undefined) continue;
          const found =
            shapeConflict(claim, theirs, other) ??
            roleConflict(claim, own, theirs, other) ??
            actionConflict(claim, theirs, other);
          if (found !== undefined) return [found];
        }
        return [];
      }),
    );
  }

  /** Another TrafficControl with the same spec: its Pods' packets would be copied to the same port, once. */
  twin(name: string, spec: unknown): Warning[] {
    const twin = firstBut(name, this.bySpec.get(fingerprint(spec)) ?? new Set());
    return twin === undefined ? [] : [warning("Twin", "spec", `is the same as that of TrafficControl ${twin}`)];
  }
}

/** One per port that the spec asks for. */
function usages(spec: unknown): { port: string; key: string; claims: Claim[] }[] {
  const ours = claims(spec);
  return [...new Set(ours.map(({ port }) => port))].map((port) => {
    const here = ours.filter((claim) => claim.port === port);
    return {
      port,
      key: here.map(({ role, shape, isRedirect }) => `${role} ${shape} ${isRedirect}`).join("\n"),
      claims: here,
    };
  });
}

function firstBut(name: string, names: Set<string>): string | undefined {
  for (const other of names) if (other !== name) return other;
  return undefined;
}

function shapeConflict(
  { path, portText, shape, shapeText }: Claim,
  theirs: Claim[],
  other: string,
): Mistake | undefined {
  const different = theirs.find((their) => their.shape !== shape);
  if (different === undefined) return undefined;
  const message = `${portText} is ${different.shapeText} in TrafficControl ${other} and cannot be ${shapeText} as well`;
  return { path, kind: "Forbidden", message, hint: "make it the same in both, or choose another" };
}

/** What arrives on a target port is dropped, what arrives on a return port goes on; one-armed devices agree on both. */
function roleConflict(claim: Claim, own: Claim[], theirs: Claim[], other: string): Mistake | undefined {
  const different = theirs.find(({ role }) => !own.some((our) => our.role === role));
  const missing = theirs.some(({ role }) => role === claim.role) ? undefined : theirs[0];
  const { role } = different ?? missing ?? claim;
  if (role === claim.role) return undefined;
  const { path, portText } = claim;
  const message = `${portText} is the ${role} of TrafficControl ${other}, and a port is either a targetPort or a returnPort`;
  return { path, kind: "Forbidden", message, hint: "choose another" };
}

/** A device gives back what it gets: a copy would reach its receiver as a second packet. */
function actionConflict({ path, portText, isRedirect }: Claim, theirs: Claim[], other: string): Mistake | undefined {
  if (theirs.every((their) => their.isRedirect === isRedirect)) return undefined;
  const [here, there] = isRedirect ? ["packets", "copies"] : ["copies", "packets"];
  const message = `${portText} gets the ${there} of TrafficControl ${other}, and a port gets either copies or redirected packets, not ${here} as well`;
  return { path, kind: "Forbidden", message, hint: "choose another" };
}

/** The spec as text, with the keys of every object in one order. */
function fingerprint(spec: unknown): string {
  return JSON.stringify(spec, (_key, value: unknown) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key) ?? make();
  map.set(key, found);
  return found;
}
