/** What the benchmarks print: a table, and where it was measured. Used by test/bench/*. */
import { cpus, totalmem } from "node:os";

/** A Markdown table, which is readable on a terminal too. */
export function markdown(head: string[], body: string[][]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...body.map((row) => row[column]!.length)));
  const line = (row: string[]): string => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...body.map(line)].join("\n");
}

/** Where and how the figures were measured; the load says whether the machine had anything else to do. */
export function machine(load: number, command: string): string {
  const hardware = `${cpus().length} × ${cpus()[0]?.model ?? "?"}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB`;
  return `Measured on ${hardware}, Node ${process.versions.node}, load average ${load.toFixed(1)} before, with: ${command}`;
}
