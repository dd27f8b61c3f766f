/** What a rule finds wrong, and the line a user reads about it. Used by every rule, by the webhook and by the controller. */

/** Kubernetes' own kinds of field error, with the words its API server uses for them. */
export const KINDS = {
  Required: "Required value",
  Invalid: "Invalid value",
  Forbidden: "Forbidden",
  NotSupported: "Unsupported value",
  Duplicate: "Duplicate value",
  TooLong: "Too long",
  TooMany: "Too many",
} as const;
export type MistakeKind = keyof typeof KINDS;

export interface Mistake {
  /** Field path as Kubernetes writes it: `spec.targetPort.vxlan.vni`, `…matchExpressions[0].key`. */
  path: string;
  kind: MistakeKind;
  /** What was found there; shown only by the kinds whose line in Kubernetes has it. */
  value?: unknown;
  /** The words that the API server says too (schema or CEL rule); "" where it says only the kind. */
  message: string;
  /** What only the webhook can add: a suggestion made from the value. */
  hint?: string;
}

const SHOWS_VALUE: readonly MistakeKind[] = ["Invalid", "NotSupported", "Duplicate"];
const LONGEST_VALUE = 80;

/** `spec.direction: Unsupported value: "both": supported values: "Ingress", "Egress", "Both" (did you mean Both?)` */
export function format(mistake: Mistake): string {
  const parts = [mistake.path, KINDS[mistake.kind]];
  if (SHOWS_VALUE.includes(mistake.kind)) parts.push(show(mistake.value));
  if (mistake.message !== "") parts.push(mistake.message);
  if (mistake.hint === undefined) return parts.join(": ");
  return mistake.message === "" ? [...parts, mistake.hint].join(": ") : `${parts.join(": ")} (${mistake.hint})`;
}

/** A value in a message: scalars as JSON, shortened; of objects and arrays only the type, as the API server does. */
function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length <= LONGEST_VALUE ? value : cut(value));
  if (typeof value === "object" && value !== null) return `"${typeName(value)}"`;
  return String(value);
}

function cut(value: string): string {
  return `${Array.from(value.slice(0, LONGEST_VALUE)).slice(0, -1).join("")}…`;
}

/** The name of a JSON type in the API server's words. */
export function typeName(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}
