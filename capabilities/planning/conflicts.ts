/**
 * TrafficControls that cannot both be in force anywhere. The webhook refuses the second one; two creations can race past it, so the
 * controller decides again: the oldest wins, the others get no rule until it is gone.
 */
import type { PlanPort, TrafficControl } from "../api";
import { canonicalJson } from "./canonical";
import { planPort } from "./ports";
import { inPrecedence } from "./precedence";

export interface Conflict {
  /** Name of the TrafficControl that has won. */
  winner: string;
  /** One sentence. */
  message: string;
}

type Role = "target port" | "target port of a Redirect" | "return port" | "target and return port";

/** One thing that a TrafficControl wants to be true of a shared name; another one must want the same. */
interface Claim {
  /** What the claim is about. */
  subject: string;
  /** What it shall be. */
  value: string;
  /** The subject and the value for the message: "port tap0", "a target port". */
  what: string;
  as: string;
}

/** The losers by UID. Those that are being deleted neither win nor lose. */
export function conflictsAmong(trafficControls: Iterable<TrafficControl>): Map<string, Conflict> {
  const claimed = new Map<string, { claim: Claim; owner: string }>();
  const conflicts = new Map<string, Conflict>();
  const candidates = [...trafficControls].filter(isCandidate);
  for (const trafficControl of inPrecedence(candidates)) {
    const { name = "", uid = "" } = trafficControl.metadata;
    const claims = claimsOf(trafficControl);
    const lost = claims
      .map((claim) => ({ claim, other: claimed.get(claim.subject) }))
      .find(({ claim, other }) => other !== undefined && other.claim.value !== claim.value);
    if (lost?.other !== undefined) {
      const { claim, other } = lost;
      conflicts.set(uid, {
        winner: other.owner,
        message: `TrafficControl ${other.owner}, which is older, uses ${claim.what} as ${other.claim.as}, this one as ${claim.as}.`,
      });
      continue;
    }
    for (const claim of claims) if (!claimed.has(claim.subject)) claimed.set(claim.subject, { claim, owner: name });
  }
  return conflicts;
}

/**
 * The same, kept up to date TrafficControl by TrafficControl. Only those that want something of which another one wants something else can
 * lose or make others lose, and that is hardly ever anybody.
 */
export class ConflictIndex {
  private readonly trafficControls = new Map<string, TrafficControl>();
  /** Subject → value → names of those who want it. */
  private readonly wanted = new Map<string, Map<string, Set<string>>>();
  /** Subjects of which several values are wanted. */
  private readonly contested = new Set<string>();
  private current: Map<string, Conflict> | undefined = new Map();

  set(name: string, trafficControl: TrafficControl | undefined): void {
    const before = this.trafficControls.get(name);
    if (before !== undefined) for (const claim of claimsOf(before)) this.withdraw(claim, name);
    this.trafficControls.delete(name);
    if (trafficControl === undefined || !isCandidate(trafficControl)) return;
    this.trafficControls.set(name, trafficControl);
    for (const claim of claimsOf(trafficControl)) this.claim(claim, name);
  }

  /** The losers by UID; the same object as long as nothing has changed. */
  conflicts(): ReadonlyMap<string, Conflict> {
    if (this.current !== undefined) return this.current;
    const names = new Set<string>();
    for (const subject of this.contested)
      for (const claimants of this.wanted.get(subject)!.values()) for (const name of claimants) names.add(name);
    this.current = conflictsAmong([...names].map((name) => this.trafficControls.get(name)!));
    return this.current;
  }

  private claim({ subject, value }: Claim, name: string): void {
    let values = this.wanted.get(subject);
    if (values === undefined) this.wanted.set(subject, (values = new Map<string, Set<string>>()));
    const claimants = values.get(value) ?? new Set();
    values.set(value, claimants.add(name));
    if (values.size < 2) return;
    this.contested.add(subject);
    this.current = undefined;
  }

  private withdraw({ subject, value }: Claim, name: string): void {
    const values = this.wanted.get(subject);
    // One TrafficControl may want the same twice.
    if (values === undefined) return;
    const claimants = values.get(value);
    if (claimants?.delete(name) === true && claimants.size === 0) values.delete(value);
    if (values.size === 0) this.wanted.delete(subject);
    if (!this.contested.has(subject)) return;
    this.current = undefined;
    if (values.size < 2) this.contested.delete(subject);
  }
}

function isCandidate({ metadata }: TrafficControl): boolean {
  return metadata.deletionTimestamp === undefined;
}

function claimsOf({ spec }: TrafficControl): Claim[] {
  const target = planPort(spec.targetPort);
  const back = spec.returnPort === undefined ? undefined : planPort(spec.returnPort);
  const kinds = [target, back].flatMap((port) => (port === undefined ? [] : kindClaims(port)));
  // A one-armed device is target and return port of one TrafficControl: its role is both.
  const isOneArmed = back !== undefined && canonicalJson(target) === canonicalJson(back);
  if (isOneArmed) return [...kinds, roleClaim(target, "target and return port")];
  if (back === undefined) return [...kinds, roleClaim(target, "target port")];
  // A copy into an inspection device would come back and reach its receiver a second time.
  return [...kinds, roleClaim(target, "target port of a Redirect"), roleClaim(back, "return port")];
}

function roleClaim(port: PlanPort, role: Role): Claim {
  return { subject: `role ${canonicalJson(identity(port))}`, value: role, what: describe(port), as: `a ${role}` };
}

/** What makes two ports the same port: the name of a local one, the whole of a tunnel. */
function identity(port: PlanPort): unknown {
  const name = port.ovsInternal?.name ?? port.device?.name;
  return name === undefined ? port : { name };
}

function kindClaims(port: PlanPort): Claim[] {
  if (port.ovsInternal)
    return [
      { subject: `name ${port.ovsInternal.name}`, value: "ovsInternal", what: describe(port), as: "ovsInternal" },
    ];
  if (port.device)
    return [{ subject: `name ${port.device.name}`, value: "device", what: describe(port), as: "device" }];
  if (port.erspan) {
    const { remoteIP, sessionID, ...rest } = port.erspan;
    const as = Object.entries(rest).map(([field, value]) => `${field} ${value}`);
    return [
      {
        subject: `erspan ${remoteIP} ${sessionID}`,
        value: canonicalJson(rest),
        what: `ERSPAN session ${sessionID} to ${remoteIP}`,
        as: as.join(", "),
      },
    ];
  }
  return [];
}

function describe(port: PlanPort): string {
  const [kind = "", fields] = Object.entries(port)[0] ?? [];
  if (fields === undefined) return "an unknown port";
  if ("name" in fields) return `port ${fields.name}`;
  return `the ${kind} tunnel to ${fields.remoteIP}`;
}
