/**
 * What may be handed on to Pepr: an AdmissionReview about a TrafficControl, as an API server sends it. Pure; called by
 * receive.ts. Pepr 1.1.4 believes whatever it is sent: it answers 500 where a part is missing, and approves an object of
 * another kind or with a namespace, because it has no callback for it.
 */
import { TRAFFIC_CONTROL } from "../api";

export interface Refusal {
  /** HTTP status, 4xx. */
  code: number;
  /** One sentence, for whoever reads the API server's log. */
  message: string;
}
export type Envelope = { ok: true; review: object } | ({ ok: false } & Refusal);

type JsonObject = Record<string, unknown>;
type Check = (request: JsonObject) => string | undefined;

/** Structural schemas and managed fields need a fraction of it; code that recurses needs an end. */
const DEEPEST = 100;
const LONGEST_UID = 128;
const OPERATIONS = ["CREATE", "UPDATE", "DELETE"];

/** @param body the bytes of the HTTP request */
export function openEnvelope(body: Uint8Array): Envelope {
  let review: unknown;
  try {
    review = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (error) {
    return refuse(error instanceof SyntaxError ? "The body is not JSON" : "The body is not UTF-8");
  }
  if (!isObject(review)) return refuse("The body is not a JSON object");
  const wrong = tooDeep(review) ?? wrongReview(review);
  return wrong === undefined ? { ok: true, review } : refuse(wrong);
}

function refuse(what: string): Envelope {
  return {
    ok: false,
    code: 400,
    message: `${what}: send an AdmissionReview (admission.k8s.io/v1) of a TrafficControl.`,
  };
}

function wrongReview({ apiVersion, kind, request }: JsonObject): string | undefined {
  if (apiVersion !== "admission.k8s.io/v1" || kind !== "AdmissionReview") return "apiVersion or kind is another";
  if (!isObject(request)) return "request is missing or not an object";
  for (const check of CHECKS) {
    const wrong = check(request);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

const CHECKS: readonly Check[] = [
  ({ uid }) =>
    typeof uid === "string" && uid !== "" && uid.length <= LONGEST_UID ? undefined : "request.uid is not an identifier",
  ({ operation }) =>
    OPERATIONS.includes(operation as string) ? undefined : `request.operation is none of ${OPERATIONS.join(", ")}`,
  ({ kind }) =>
    isObject(kind) &&
    kind["group"] === TRAFFIC_CONTROL.group &&
    kind["version"] === TRAFFIC_CONTROL.version &&
    kind["kind"] === TRAFFIC_CONTROL.kind
      ? undefined
      : "request.kind is not that of a TrafficControl",
  ({ name, namespace }) =>
    isAbsentOr(isString, name) && (namespace === undefined || namespace === "")
      ? undefined
      : "request.name is not a string, or there is a namespace",
  ({ userInfo }) =>
    isAbsentOr((info) => isObject(info) && isAbsentOr(isString, info["username"]), userInfo)
      ? undefined
      : "request.userInfo is not an object with a username",
  ({ operation, object }) => wrongObject("request.object", object, operation !== "DELETE"),
  ({ operation, oldObject }) => wrongObject("request.oldObject", oldObject, operation !== "CREATE"),
];

/** Of the object only what Pepr and its libraries touch by themselves; all else is what the rules are for. */
function wrongObject(path: string, object: unknown, required: boolean): string | undefined {
  if (object === undefined || object === null) return required ? `${path} is missing` : undefined;
  if (!isObject(object)) return `${path} is not an object`;
  const { metadata } = object;
  if (!isObject(metadata)) return `${path}.metadata is missing or not an object`;
  if (!isAbsentOr(isString, metadata["name"])) return `${path}.metadata.name is not a string`;
  if (!isAbsentOr((namespace) => namespace === "", metadata["namespace"])) return `${path} is in a namespace`;
  for (const name of ["labels", "annotations"])
    if (!isAbsentOr((map) => isObject(map) && Object.values(map).every(isString), metadata[name]))
      return `${path}.metadata.${name} are not strings by name`;
  return isAbsentOr((list) => Array.isArray(list) && list.every(isString), metadata["finalizers"])
    ? undefined
    : `${path}.metadata.finalizers are not a list of strings`;
}

/** Level by level, because a recursive look would itself be what it is to prevent. */
function tooDeep(root: object): string | undefined {
  let level: object[] = [root];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > DEEPEST) return `The body is nested more than ${DEEPEST} levels deep`;
    const next: object[] = [];
    for (const object of level) {
      // An object copied key by key, as ramda's clone does it, would get this one as its prototype.
      if (Object.hasOwn(object, "__proto__")) return "A key of the body is __proto__";
      for (const value of Object.values(object) as unknown[])
        if (typeof value === "object" && value !== null) next.push(value);
    }
    level = next;
  }
  return undefined;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isString(value: unknown): value is string {
  return typeof value === "string";
}

function isAbsentOr(check: (value: unknown) => boolean, value: unknown): boolean {
  return value === undefined || value === null || check(value);
}
