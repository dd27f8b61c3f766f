/** What an AdmissionReview's request means for a TrafficControl, decided without effects. Called by the Pepr callbacks. */
import { isDeepStrictEqual } from "node:util";
import { ANNOTATIONS, FINALIZER } from "../api";
import { format, formatWarning, mistakes, Surroundings, warnings, type Mistake, type Warning } from "./rules";

/** The parts of a request that decisions are made from; everything in `object` may be anything. */
export interface Review {
  operation: string;
  object: unknown;
  oldObject?: unknown;
  username?: string;
}

export type Verdict =
  | { allowed: true; warnings: Warning[] }
  | { allowed: false; mistakes: Mistake[]; warnings: Warning[] };

const MOST_LINES = 50;

/** Whether the object may be stored. Deletions and updates that leave spec alone always may, whatever newer rules say. */
export function judge(review: Review, { peers, overlay, ends } = new Surroundings()): Verdict {
  if (!changesSpec(review)) return { allowed: true, warnings: [] };
  const { object } = review;
  const [name, spec] = [nameOf(object), part(object, "spec")];
  const beside = [...peers.conflicts(name, spec), ...overlay.conflicts(spec), ...ends.excess(name, spec)];
  const found = [...mistakes(object), ...beside];
  if (found.length > 0) return { allowed: false, mistakes: found, warnings: warnings(object) };
  const doubts = [...overlay.doubts(spec), ...ends.scarcity(name, spec), ...peers.twin(name, spec)];
  return { allowed: true, warnings: [...warnings(object), ...doubts] };
}

/** All mistakes, one per line; several begin on a line of their own, after the API server's "denied the request:". */
export function denial(found: readonly Mistake[]): string {
  const lines = found.slice(0, MOST_LINES).map(format);
  if (found.length > MOST_LINES) lines.push(`… and ${found.length - MOST_LINES} more`);
  return lines.length === 1 ? lines[0]! : ["", ...lines].join("\n");
}

export function warningLines(found: readonly Warning[]): string[] {
  return found.map(formatWarning);
}

/** What the mutating webhook writes: never a field of spec. */
export interface Signature {
  finalizers: string[];
  /** undefined takes the author away. */
  author: string | undefined;
}

/** Finalizer and author for a new object or a changed spec; undefined where there is nothing to write. */
export function signature(review: Review): Signature | undefined {
  const { object, oldObject, operation, username } = review;
  if (changesSpec(review)) return { finalizers: withOurs(finalizersOf(object)), author: username ?? "" };
  // An author changes with the spec only: whoever edits the annotation, or loses it on the way, finds it as it was.
  if (operation !== "UPDATE" || isLeaving(object) || authorOf(object) === authorOf(oldObject)) return undefined;
  return { finalizers: finalizersOf(object), author: authorOf(oldObject) };
}

function withOurs(finalizers: string[]): string[] {
  return finalizers.includes(FINALIZER) ? finalizers : [...finalizers, FINALIZER];
}

function finalizersOf(object: unknown): string[] {
  const present = part(part(object, "metadata"), "finalizers");
  return Array.isArray(present) ? present.filter((name) => typeof name === "string") : [];
}

function authorOf(object: unknown): string | undefined {
  const author = part(part(part(object, "metadata"), "annotations"), ANNOTATIONS.lastChangedBy);
  return typeof author === "string" ? author : undefined;
}

/** A creation, or an update of spec, of an object that is to stay. */
function changesSpec({ operation, object, oldObject }: Review): boolean {
  if (operation !== "CREATE" && operation !== "UPDATE") return false;
  if (isLeaving(object)) return false;
  return operation === "CREATE" || !isDeepStrictEqual(part(object, "spec"), part(oldObject, "spec"));
}

function nameOf(object: unknown): string {
  const name = part(part(object, "metadata"), "name");
  return typeof name === "string" ? name : "";
}

function isLeaving(object: unknown): boolean {
  return part(part(object, "metadata"), "deletionTimestamp") !== undefined;
}

function part(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name] ?? undefined;
}
