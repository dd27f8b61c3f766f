/** How answers are printed: kubectl's tables, or JSON and YAML for programs. Used by every verb. */
import { stringify } from "yaml";

export type Format = "table" | "wide" | "json" | "yaml";
export const FORMATS = ["wide", "json", "yaml"] as const;

/** One column: its heading, and whether only `-o wide` shows it. */
export interface Column<T> {
  heading: string;
  of: (row: T) => string | number | undefined;
  wide?: true;
}

/** Columns as kubectl writes them: capitals, three spaces between, the last one open. */
export function table<T>(columns: readonly Column<T>[], rows: readonly T[], format: Format = "table"): string {
  const shown = columns.filter(({ wide }) => wide !== true || format === "wide");
  const cells = [
    shown.map(({ heading }) => heading),
    ...rows.map((row) => shown.map(({ of }) => String(of(row) ?? "<none>"))),
  ];
  const widths = shown.map((_, column) => Math.max(...cells.map((line) => line[column]!.length)));
  return cells
    .map((line) => line.map((cell, column) => (column === line.length - 1 ? cell : cell.padEnd(widths[column]!))))
    .map((line) => line.join("   ").trimEnd())
    .join("\n");
}

/** For programs; undefined where people read. */
export function structured(value: unknown, format: Format): string | undefined {
  if (format === "json") return JSON.stringify(value, undefined, 2);
  return format === "yaml" ? stringify(value).trimEnd() : undefined;
}

/** "vxlan:10.0.10.2", "ovsInternal:tap0"; with both ports of a Redirect "ovsInternal:in0 > ovsInternal:out0". */
export function portsText({ targetPort, returnPort }: { targetPort: object; returnPort?: object }): string {
  const text = (port: object): string => {
    const [kind = "?", fields] = Object.entries(port)[0] ?? [];
    const { name, remoteIP } = (fields ?? {}) as { name?: string; remoteIP?: string };
    return `${kind}:${name ?? remoteIP ?? ""}`;
  };
  return returnPort === undefined ? text(targetPort) : `${text(targetPort)} > ${text(returnPort)}`;
}

/** "1 Pod", "2 Pods". */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
