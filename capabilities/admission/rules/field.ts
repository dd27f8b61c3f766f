/**
 * The building blocks of the rules: a rule takes a field (its path and whatever JSON is there) and returns the mistakes it
 * finds. Nothing here throws, whatever the value: an early webhook sees objects that no schema has looked at.
 */
import { SCHEMA } from "./messages";
import { typeName, type Mistake } from "./mistake";
import { suggest } from "./suggest";

export interface Field {
  path: string;
  value: unknown;
}
export type Rule = (field: Field) => Mistake[];

type JsonObject = Record<string, unknown>;

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A member of an object; undefined if it is not there. null counts as not there, as it does for the API server. */
export function member(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? (value[name] ?? undefined) : undefined;
}

export function has(value: unknown, name: string): boolean {
  return member(value, name) !== undefined;
}

function child(field: Field, name: string): Field {
  return { path: `${field.path}.${name}`, value: member(field.value, name) };
}

/** All of these rules, also after one has found something. */
export function all(...rules: Rule[]): Rule {
  return (field) => rules.flatMap((rule) => rule(field));
}

/**
 * An object with these members; others are the API server's to name (`unknown field`).
 * @param required members that must be there, with what to write
 */
export function object(members: Record<string, Rule>, required: Record<string, string> = {}, ...rules: Rule[]): Rule {
  return (field) => {
    if (!isObject(field.value)) return [wrongType(field, "an object")];
    const found = Object.entries(members).flatMap(([name, rule]): Mistake[] => {
      const at = child(field, name);
      if (at.value !== undefined) return rule(at);
      const hint = member(required, name) as string | undefined;
      return hint === undefined ? [] : [{ path: at.path, kind: "Required", message: "", hint }];
    });
    return [...found, ...rules.flatMap((rule) => rule(field))];
  };
}

/** An object with free keys. `keys` is asked once with all keys, `each` for each value. */
export function map(maxProperties: number, keys: (field: Field, keys: string[]) => Mistake[], each: Rule): Rule {
  return (field) => {
    if (!isObject(field.value)) return [wrongType(field, "an object")];
    const names = Object.keys(field.value);
    if (names.length > maxProperties) return [tooMany(field, names.length, maxProperties)];
    // As the API server orders them: one object has one list of mistakes, wherever it is looked at.
    names.sort();
    const values = names.flatMap((key) =>
      each({ path: `${field.path}[${key}]`, value: member(field.value, key) ?? null }),
    );
    return [...keys(field, names), ...values];
  };
}

export function list(maxItems: number, each: Rule): Rule {
  return (field) => {
    if (!Array.isArray(field.value)) return [wrongType(field, "a list")];
    if (field.value.length > maxItems) return [tooMany(field, field.value.length, maxItems)];
    return field.value.flatMap((value: unknown, index) => each({ path: `${field.path}[${index}]`, value }));
  };
}

/** A string of at most so many characters; `check` says with a message and a hint what else is wrong with it. */
export function text(maxLength: number, check: (value: string) => Pick<Mistake, "message" | "hint"> | undefined): Rule {
  return ({ path, value }) => {
    if (typeof value !== "string") return [wrongType({ path, value }, "a string")];
    // The schema counts code points, although its message says bytes; the difference never reaches a valid value.
    if (value.length > maxLength && Array.from(value.slice(0, 2 * maxLength + 1)).length > maxLength)
      return [{ path, kind: "TooLong", message: SCHEMA.tooLong(maxLength), hint: `it has ${value.length}` }];
    const wrong = check(value);
    return wrong ? [{ path, kind: "Invalid", value, ...wrong }] : [];
  };
}

export function integer(lowest: number, highest: number, message: string): Rule {
  return ({ path, value }) => {
    if (typeof value !== "number" || !Number.isInteger(value)) return [wrongType({ path, value }, "an integer")];
    return value < lowest || value > highest ? [{ path, kind: "Invalid", value, message }] : [];
  };
}

export function oneOf(...values: (string | number)[]): Rule {
  return ({ path, value }) => {
    if (values.includes(value as string | number)) return [];
    const wanted = typeof values[0] === "string" ? "string" : "integer";
    if (typeName(value) !== wanted) return [wrongType({ path, value }, article(wanted))];
    const meant = typeof value === "string" ? suggest(value, values.map(String)) : undefined;
    const hint = meant === undefined ? undefined : `did you mean ${meant}?`;
    return [{ path, kind: "NotSupported", value, message: SCHEMA.notSupported(values), hint }];
  };
}

function tooMany({ path, value }: Field, length: number, allowed: number): Mistake {
  return { path, kind: "TooMany", value, message: `${length}: ${SCHEMA.tooMany(allowed)}` };
}

function wrongType({ path, value }: Field, wanted: string): Mistake {
  const message = `must be ${wanted}, not ${article(typeName(value))}`;
  return { path, kind: "Invalid", value, message, hint: quoting(value, wanted) };
}

/** YAML's quotes decide about the type; they are what most of these mistakes are about. */
function quoting(value: unknown, wanted: string): string | undefined {
  if (wanted === "a string" && (typeof value === "number" || typeof value === "boolean"))
    return `in quotes: "${value}"`;
  if (wanted === "an integer" && typeof value === "string" && /^\d{1,10}$/.test(value))
    return `without the quotes: ${value}`;
  return undefined;
}

function article(type: string): string {
  return type === "null" ? type : `${/^[aio]/.test(type) ? "an" : "a"} ${type}`;
}
