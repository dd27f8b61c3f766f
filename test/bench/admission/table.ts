/** The figures as a table. Pure; used by main.ts. */
import { markdown } from "../report";
import type { Row } from "./load";

const HEAD = [
  ...["TrafficControls", "webhook", "connections", "requests/s", "p50", "p99", "max"],
  ...["longest block", "callbacks > 10 ms"],
];

export function table(rows: Row[]): string {
  const body = rows.map((row) => [
    ...[row.existing.toLocaleString("en"), row.webhook, String(row.connections), row.perSecond.toFixed(0)],
    ...[row.p50, row.p99, row.max, row.longestBlock].map((value) => `${value.toFixed(1)} ms`),
    String(row.slowCallbacks),
  ]);
  return markdown(HEAD, body);
}
