/**
 * TrafficControls that cannot both be in force anywhere. The webhook refuses the second one; two creations can race past it, so the
 * controller decides again: the oldest wins, the others get no rule until it is gone.
 */
import type { PlanPort, TrafficControl } from "../api";
import { canonicalJson } from "./canonical";
import { planPort } from "./ports";
import { precedence } from "./precedence";

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
  const candidates = [...trafficControls].filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  for (const trafficControl of candidates.sort(precedence)) {
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
