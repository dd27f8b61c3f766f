/** OVSDB values (RFC 7047, section 5.1) as JavaScript values and back. Called by the client and by those who write operations. */

/** A value on the wire. */
export type Wire = string | number | boolean | WirePair;
/** `["uuid", U]`, `["named-uuid", N]`, `["set", […]]` or `["map", [[K, V], …]]`. */
export type WirePair = ["uuid" | "named-uuid", string] | ["set", Wire[]] | ["map", [Wire, Wire][]];

/** An atom in JavaScript; a UUID is a plain string. */
export type Atom = string | number | boolean;
/** A column: an atom, undefined for an empty optional, an array for a set, a Map for a map. */
export type Value = Atom | undefined | Atom[] | Map<Atom, Atom>;

/** How a column is to be read, from the schema (RFC 7047, section 3.2). */
export type ColumnShape = "scalar" | "optional" | "set" | "map";

/** A reference to an existing row. */
export function uuid(id: string): WirePair {
  return ["uuid", id];
}

/** A reference to a row that an `insert` of the same transaction makes under `uuid-name`. */
export function namedUuid(name: string): WirePair {
  return ["named-uuid", name];
}

export function set(values: readonly Wire[]): WirePair {
  return ["set", [...values]];
}

/** `{a: "b"}` as an OVSDB map of strings. */
export function map(values: Readonly<Record<string, string>>): WirePair {
  return ["map", Object.entries(values)];
}

function atom(wire: Wire): Atom {
  return Array.isArray(wire) ? String(wire[1]) : wire;
}

/** Reads a column according to its shape; a set of one may come as its element alone. */
export function fromWire(wire: Wire, shape: ColumnShape): Value {
  const pair = Array.isArray(wire) ? wire : null;
  if (shape === "map")
    return new Map(pair?.[0] === "map" ? pair[1].map(([key, value]) => [atom(key), atom(value)]) : []);
  const elements = pair?.[0] === "set" ? pair[1].map(atom) : [atom(wire)];
  if (shape === "set") return elements;
  return elements[0];
}

interface SchemaColumn {
  type: string | { key: string | { type: string }; value?: unknown; min?: number; max?: number | "unlimited" };
}

/** The relevant part of the answer to `get_schema`. */
export interface Schema {
  version: string;
  tables: Record<string, { columns: Record<string, SchemaColumn> }>;
}

export function shapeOf(column: SchemaColumn | undefined): ColumnShape {
  // _uuid and _version are in every table but in no schema.
  if (!column || typeof column.type === "string") return "scalar";
  const { value, min = 1, max = 1 } = column.type;
  if (value !== undefined) return "map";
  if (max !== 1) return "set";
  return min === 0 ? "optional" : "scalar";
}

const DEFAULTS: Record<string, Atom> = { string: "", integer: 0, real: 0, boolean: false };
const NO_UUID = "00000000-0000-0000-0000-000000000000";

/** What a column holds if nobody has said anything (RFC 7047, section 5.2.1): monitor_cond leaves such columns out. */
export function defaultOf(column: SchemaColumn | undefined): Value {
  const shape = shapeOf(column);
  if (shape === "map") return new Map();
  if (shape === "set") return [];
  if (shape === "optional" || !column) return undefined;
  const { type } = column;
  const key = typeof type === "string" ? type : type.key;
  return DEFAULTS[typeof key === "string" ? key : key.type] ?? NO_UUID;
}

/**
 * The value after a difference as monitor_cond sends it (ovsdb-server(7), "update2"): elements of a set that come or go,
 * entries of a map that come, change or (with the value that is there) go, else the new value.
 */
export function withDifference(before: Value, wire: Wire, shape: ColumnShape): Value {
  const difference = fromWire(wire, shape);
  if (Array.isArray(difference) && Array.isArray(before)) {
    const moved = new Set(difference);
    const stayed = before.filter((element) => !moved.has(element));
    return [...stayed, ...difference.filter((element) => !before.includes(element))];
  }
  if (!(difference instanceof Map) || !(before instanceof Map)) return difference;
  const after = new Map(before);
  for (const [key, value] of difference) {
    if (before.get(key) === value) after.delete(key);
    else after.set(key, value);
  }
  return after;
}
