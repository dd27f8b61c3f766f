/**
 * Requests to the webhook that no API server would send: broken, huge, deep, of other types, with keys that mean something
 * to JavaScript. Used by test/e2e/admission-hostile.test.ts.
 */
import fc from "fast-check";
import { json, nearlyRightSpec, replaceLeaf } from "../../unit/admission/arbitrary";
import { manifest } from "../../unit/admission/cases";
import { reviewOf } from "./reviews";

export interface Hostile {
  path: string;
  headers: Record<string, string>;
  body: Buffer;
}

const JSON_TYPE = { "Content-Type": "application/json" };
const right = (spec: unknown): unknown => ({ ...manifest({ title: "", change: {} }), spec });
/** A right review, or one of a spec that may be wrong, or of a change. */
const review = fc
  .tuple(nearlyRightSpec, fc.option(nearlyRightSpec, { freq: 3 }))
  .map(([spec, old]) => reviewOf(right(spec), old === null ? undefined : right(old)) as unknown);
const text = (value: unknown): string => (JSON.stringify(value) as string | undefined) ?? "null";
const bytes = (value: unknown): Buffer => Buffer.from(text(value));

/** The text of a review in which one member has another value, written as it is. */
const member = fc.constantFrom(
  ...["apiVersion", "kind", "request", "uid", "operation", "object", "oldObject", "userInfo", "username", "metadata"],
  ...["name", "namespace", "annotations", "labels", "finalizers", "deletionTimestamp", "spec", "group", "version"],
  ...["appliedTo", "matchLabels", "matchExpressions", "targetPort", "returnPort", "dryRun", "options"],
);
function withMember(tree: unknown, name: string, value: string): string {
  const marker = "this is where it goes";
  const places: string[] = [];
  const marked = JSON.stringify(tree, (key, old: unknown) => (key === name && places.push(key) === 1 ? marker : old));
  const added = places.length > 0 ? marked : text({ ...(tree as object), [name]: marker });
  return added.replace(`"${marker}"`, () => value);
}

const deep = fc
  .tuple(fc.constantFrom("[", '{"a":', '{"spec":', '{"__proto__":'), fc.constantFrom(90, 120, 1_000, 50_000))
  .map(([open, levels]) => `${open.repeat(levels)}1${(open === "[" ? "]" : "}").repeat(levels)}`);
const huge = fc
  .tuple(
    fc.constantFrom<[string, string]>(['"', '"'], ['["', '"]'], ['{"a":"', '"}']),
    fc.constantFrom(70_000, 1_000_000, 2_500_000),
  )
  .map(([[open, close], size]) => `${open}${"x".repeat(size)}${close}`);
const keys = fc
  .array(
    fc.constantFrom("__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "valueOf", "length", ""),
  )
  .map((names) => `{${names.map((name) => `"${name}":{"toString":5,"polluted":true}`).join(",")}}`);
const odd = fc.constantFrom(
  "1e999",
  "-0",
  "0.1",
  '"\\ud800"',
  '"\\u0000"',
  "null",
  "true",
  "[]",
  "{}",
  '""',
  "[[]]",
  "5",
);
const wrongValue = fc.oneof(
  { weight: 10, arbitrary: odd },
  { weight: 10, arbitrary: json.map(text) },
  { weight: 6, arbitrary: keys },
  { weight: 2, arbitrary: deep },
  { weight: 1, arbitrary: huge },
);

const body = fc.oneof(
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 400 }).map((array) => Buffer.from(array)) },
  { weight: 2, arbitrary: json.map(bytes) },
  { weight: 1, arbitrary: review.map(bytes) },
  { weight: 2, arbitrary: fc.tuple(review, fc.nat()).map(([tree, at]) => cut(bytes(tree), at)) },
  {
    weight: 2,
    arbitrary: fc.tuple(review, fc.nat(), fc.nat(255)).map(([tree, at, byte]) => spoil(bytes(tree), at, byte)),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(review, json, fc.nat()).map(([tree, value, at]) => bytes(replaceLeaf(tree, at, value))),
  },
  {
    weight: 10,
    arbitrary: fc.tuple(review, member, wrongValue).map((found) => Buffer.from(withMember(...found))),
  },
);

export const hostile: fc.Arbitrary<Hostile> = fc.record({
  path: fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom("/validate/v1alpha2?timeout=5s", "/mutate/v1alpha2?timeout=5s") },
    {
      weight: 1,
      arbitrary: fc.constantFrom("/validate/", "/validate/%ff", "/mutate/../validate/x", "/", "/VALIDATE/v1alpha2"),
    },
  ),
  headers: fc.oneof(
    { weight: 20, arbitrary: fc.constant<Record<string, string>>(JSON_TYPE) },
    {
      weight: 1,
      arbitrary: fc.constantFrom<Record<string, string>>(
        {},
        { "Content-Type": "text/plain" },
        { "Content-Type": "application/json; charset=utf-16" },
        { "Content-Type": "application/json;;;=" },
        { ...JSON_TYPE, "Content-Encoding": "gzip" },
        { ...JSON_TYPE, "Content-Encoding": "nonsense" },
      ),
    },
  ),
  body,
});

function cut(whole: Buffer, at: number): Buffer {
  return whole.subarray(0, at % whole.length);
}

function spoil(whole: Buffer, at: number, byte: number): Buffer {
  whole[at % whole.length] = byte;
  return whole;
}
