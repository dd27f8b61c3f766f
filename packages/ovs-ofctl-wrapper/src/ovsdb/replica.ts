/** A local copy of chosen tables and columns, kept up to date by the server. Made by Ovsdb.monitor. */
import { fromWire, withDifference } from "./values";
import type { ColumnShape, Value, Wire } from "./values";
import type { SelectedRow, Selection, TableName } from "./tables";

/** One changed row. `before` is undefined for a new row, `after` for a deleted one. */
export type RowChange<S extends Selection> = {
  [T in TableName & keyof S]: {
    table: T;
    uuid: string;
    before: SelectedRow<S, T> | undefined;
    after: SelectedRow<S, T> | undefined;
  };
}[TableName & keyof S];

/** `table-updates` of RFC 7047, section 4.1.6. `old` holds only the changed columns, `new` all of them. */
export type TableUpdates = Record<string, Record<string, { old?: Record<string, Wire>; new?: Record<string, Wire> }>>;

/** `table-updates2` of monitor_cond (ovsdb-server(7)). A row that no longer meets the condition is deleted. */
export type TableUpdates2 = Record<
  string,
  Record<
    string,
    | { initial: Record<string, Wire> }
    | { insert: Record<string, Wire> }
    | { modify: Record<string, Wire> }
    | { delete: null }
  >
>;

/** What the schema says of a column. */
export interface Columns {
  shape: (table: string, column: string) => ColumnShape;
  /** Of a column that nobody has set. */
  empty: (table: string, column: string) => Value;
}

type AnyRow = { uuid: string } & Record<string, Value>;

export class Replica<S extends Selection> {
  private readonly tables = new Map<string, Map<string, AnyRow>>();
  private changed = 0;

  /** Use Ovsdb.monitor. */
  constructor(
    readonly selection: S,
    private readonly columns: Columns,
  ) {
    for (const table of Object.keys(selection)) this.tables.set(table, new Map());
  }

  /** Grows with each changed row: what was derived from the rows holds as long as this stays. */
  get version(): number {
    return this.changed;
  }

  /** Rows of a table by UUID. The map changes as the database does; a row object is replaced, never changed. */
  rows<T extends TableName & keyof S>(table: T): ReadonlyMap<string, SelectedRow<S, T>> {
    return this.tables.get(table) as unknown as ReadonlyMap<string, SelectedRow<S, T>>;
  }

  /** The first row whose column has this value, by a look at all rows. */
  find<T extends TableName & keyof S>(
    table: T,
    test: (row: SelectedRow<S, T>) => boolean,
  ): SelectedRow<S, T> | undefined {
    for (const row of this.rows(table).values()) if (test(row)) return row;
    return undefined;
  }

  /** Applies an update and returns what changed. `complete`: the update is the whole state, rows not in it are gone. */
  apply(updates: TableUpdates, complete = false): RowChange<S>[] {
    const changes: RowChange<S>[] = [];
    for (const [table, rows] of this.tables) {
      const update = updates[table] ?? {};
      if (complete) for (const id of rows.keys()) if (!(id in update)) this.set(changes, table, rows, id, undefined);
      for (const [id, { new: after }] of Object.entries(update))
        this.set(changes, table, rows, id, after && this.row(table, id, after));
    }
    return changes;
  }

  /** The same for a monitor with conditions, whose updates say differences only. */
  applyDifferences(updates: TableUpdates2, complete = false): RowChange<S>[] {
    const changes: RowChange<S>[] = [];
    for (const [table, rows] of this.tables) {
      const update = updates[table] ?? {};
      if (complete) for (const id of rows.keys()) if (!(id in update)) this.set(changes, table, rows, id, undefined);
      for (const [id, change] of Object.entries(update)) {
        let after: AnyRow | undefined;
        if ("initial" in change) after = this.whole(table, id, change.initial);
        else if ("insert" in change) after = this.whole(table, id, change.insert);
        else if ("modify" in change) after = this.modified(table, id, rows.get(id), change.modify);
        this.set(changes, table, rows, id, after);
      }
    }
    return changes;
  }

  /** A row of which only what is not default is told. */
  private whole(table: string, id: string, told: Record<string, Wire>): AnyRow {
    const row: AnyRow = { uuid: id };
    for (const column of this.selection[table as TableName] ?? []) row[column] = this.columns.empty(table, column);
    return { ...row, ...this.row(table, id, told) };
  }

  private modified(table: string, id: string, before: AnyRow | undefined, told: Record<string, Wire>): AnyRow {
    const row: AnyRow = before ? { ...before } : this.whole(table, id, {});
    for (const [column, wire] of Object.entries(told))
      row[column] = withDifference(row[column], wire, this.columns.shape(table, column));
    return row;
  }

  private set(
    changes: RowChange<S>[],
    table: string,
    rows: Map<string, AnyRow>,
    id: string,
    after: AnyRow | undefined,
  ): void {
    const before = rows.get(id);
    if (before && after && JSON.stringify(plain(before)) === JSON.stringify(plain(after))) return;
    if (after) rows.set(id, after);
    else rows.delete(id);
    this.changed++;
    changes.push({ table, uuid: id, before, after } as unknown as RowChange<S>);
  }

  private row(table: string, id: string, columns: Record<string, Wire>): AnyRow {
    const row: AnyRow = { uuid: id };
    for (const [column, wire] of Object.entries(columns))
      row[column] = fromWire(wire, this.columns.shape(table, column));
    return row;
  }
}

function plain(row: AnyRow): unknown {
  return Object.entries(row).map(([key, value]) => [key, value instanceof Map ? [...value] : value]);
}
