/** Flows from named tables, matches and actions. Called by users of this package. */
import type { Flow } from "../flow";
import { formatActions } from "./actions";
import type { Action } from "./actions";
import { formatMatch } from "./match";
import type { Match } from "./match";

/** Names for the tables of a pipeline, checked: each 0-254, none twice. `const T = tables({ classify: 10, output: 20 })`. */
export function tables<const T extends Readonly<Record<string, number>>>(numbers: T): T {
  const seen = new Map<number, string>();
  for (const [name, table] of Object.entries(numbers)) {
    if (!Number.isInteger(table) || table < 0 || table > 254)
      throw new Error(`table ${name}: ${table} is not 0 to 254`);
    const other = seen.get(table);
    if (other !== undefined) throw new Error(`tables ${other} and ${name} are both ${table}`);
    seen.set(table, name);
  }
  return numbers;
}

/** What a flow is made of. */
export interface FlowParts {
  table: number;
  /** 0-65535; higher wins. */
  priority: number;
  /** 0n if absent. */
  cookie?: bigint;
  /** Everything if absent. */
  match?: Match;
  /** Dropped if empty. */
  actions: readonly Action[];
}

export function flow({ table, priority, cookie = 0n, match = {}, actions }: FlowParts): Flow {
  return { table, priority, cookie, match: formatMatch(match), actions: formatActions(actions) };
}
