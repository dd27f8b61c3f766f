/** Operations of an OVSDB transaction (RFC 7047, section 5.2), and what they answer. */
import type { Selection, TableName } from "./tables";
import type { Wire } from "./values";

/** `[column, function, value]`, RFC 7047 section 5.1. */
export type Condition = [
  column: string,
  is: "==" | "!=" | "includes" | "excludes" | "<" | "<=" | ">" | ">=",
  value: Wire,
];
/** Rows of these tables are wanted that meet one of the conditions. */
export type Conditions<S extends Selection> = { readonly [T in keyof S]?: readonly Condition[] };
export type Mutation = [column: string, mutator: "+=" | "-=" | "insert" | "delete", value: Wire];
export type WireRow = Readonly<Record<string, Wire>>;

export type Operation =
  | { op: "insert"; table: TableName; row: WireRow; "uuid-name"?: string }
  | { op: "select"; table: TableName; where: Condition[]; columns?: string[] }
  | { op: "update"; table: TableName; where: Condition[]; row: WireRow }
  | { op: "mutate"; table: TableName; where: Condition[]; mutations: Mutation[] }
  | { op: "delete"; table: TableName; where: Condition[] }
  | {
      op: "wait";
      table: TableName;
      where: Condition[];
      columns: string[];
      until: "==" | "!=";
      rows: WireRow[];
      /** Milliseconds; 0 checks once. */
      timeout: number;
    }
  | { op: "assert"; lock: string }
  | { op: "comment"; comment: string };

/** Answer to one operation: `uuid` of an insert, `count` of update, mutate and delete, `rows` (as on the wire) of a select. */
export interface OperationResult {
  uuid?: ["uuid", string];
  count?: number;
  rows?: Record<string, Wire>[];
  error?: string;
  details?: string;
}

/** The operation that made a transaction fail. The server answers with null for those behind it. */
export function failedOperation(
  operations: readonly Operation[],
  results: readonly (OperationResult | null)[],
): { message: string; result: OperationResult } | null {
  const at = results.findIndex((result) => result?.error !== undefined);
  const result = results[at];
  if (!result) return null;
  const operation = operations[at];
  // An error behind the last operation is one of the commit (a broken constraint, for example).
  const where = operation ? describe(operation) : "commit";
  return { message: `${where}: ${result.error ?? ""}${result.details ? ` (${result.details})` : ""}`, result };
}

function describe(operation: Operation): string {
  if (operation.op === "assert") return `assert lock ${operation.lock}`;
  return "table" in operation ? `${operation.op} ${operation.table}` : operation.op;
}
