/** Copies by Mirror rows of the database. The door of this room. */
export { Mirrors } from "./mirrors";
export type { RowCount } from "./mirrors";
export { MOST_MIRRORS, rowChanges, wantedRows, withoutRoom } from "./rows";
