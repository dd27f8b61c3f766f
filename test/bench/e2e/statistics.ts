/** Figures of one measurement, and the table of all. Pure; used by main.ts. */
import { markdown } from "../report";

export interface Measurement {
  name: string;
  unit: string;
  values: number[];
}

export function table(measurements: Measurement[]): string {
  const body = measurements.map(({ name, unit, values }) => [
    ...[name, String(values.length)],
    ...[percentile(values, 50), percentile(values, 90), Math.max(...values), Math.min(...values)].map(
      (value) => `${format(value)} ${unit}`,
    ),
  ]);
  return markdown(["what", "n", "median", "p90", "max", "min"], body);
}

/** The smallest value that `percent` of all values do not exceed (nearest rank). */
export function percentile(values: number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? NaN;
}

function format(value: number): string {
  const digits = Math.abs(value) < 10 ? 1 : 0;
  return value.toFixed(digits);
}
