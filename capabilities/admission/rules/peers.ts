/**
 * What one TrafficControl takes away from another: a port name is one port of one kind in one role, and Open vSwitch makes
 * one ERSPAN tunnel per far end and session. The index answers in the same time however many there are. Two creations
 * that race are not seen here; the controller tells the loser by a condition.
 */
import { claims, type Claim } from "./claim";
import type { Mistake } from "./mistake";
import { warning, type Warning } from "./warning";

export class Peers {
  private readonly byPort = new Map<string, Map<string, Claim[]>>();
  private readonly bySpec = new Map<string, Set<string>>();
  private readonly specs = new Map<string, unknown>();

  put(name: string, spec: unknown): void {
    this.remove(name);
    this.specs.set(name, spec);
    for (const claim of claims(spec)) {
      const users = getOrAdd(this.byPort, claim.port, () => new Map<string, Claim[]>());
      getOrAdd(users, name, () => []).push(claim);
    }
    getOrAdd(this.bySpec, fingerprint(spec), () => new Set<string>()).add(name);
  }

  remove(name: string): void {
    if (!this.specs.has(name)) return;
    const spec = this.specs.get(name);
    this.specs.delete(name);
    for (const { port } of claims(spec)) dropFrom(this.byPort, port, name);
    dropFrom(this.bySpec, fingerprint(spec), name);
  }

  /** What in this spec contradicts others; at most one mistake per port of it. */
  conflicts(name: string, spec: unknown): Mistake[] {
    const ours = claims(spec);
    return ours.flatMap((claim) => {
      const others = [...(this.byPort.get(claim.port) ?? [])].filter(([other]) => other !== name);
      const own = ours.filter(({ port }) => port === claim.port);
      for (const [other, theirs] of others) {
        const found = shapeConflict(claim, theirs, other) ?? roleConflict(claim, own, theirs, other);
        if (found !== undefined) return [found];
      }
      return [];
    });
  }

  /** Another TrafficControl with the same spec: its Pods' packets would be copied to the same port, once. */
  twin(name: string, spec: unknown): Warning[] {
    const [twin] = [...(this.bySpec.get(fingerprint(spec)) ?? [])].filter((other) => other !== name);
    return twin === undefined ? [] : [warning("Twin", "spec", `is the same as that of TrafficControl ${twin}`)];
  }
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

function dropFrom(
  map: Map<string, { delete: (name: string) => boolean; size: number }>,
  key: string,
  name: string,
): void {
  const users = map.get(key);
  users?.delete(name);
  if (users?.size === 0) map.delete(key);
}
