/** The page of all refusals that test/unit/admission/refusals.md holds: what was written, what the user reads. */
import { stringify } from "yaml";
import { format, mistakes, type Mistake } from "../../../capabilities/admission/rules";
import { manifest, type Case } from "./cases";

const LONGEST_LINE = 100;
const MOST_LINES = 16;

export function page(sections: Record<string, readonly Case[]>): string {
  const parts = Object.entries(sections).flatMap(([title, cases]) => [`# ${title}`, ...cases.map(section)]);
  return `${parts.join("\n\n")}\n`;
}

function section(given: Case): string {
  const written = stringify(given.change, { lineWidth: 0, keepUndefined: false })
    .trimEnd()
    .split("\n")
    .map((line) => `    ${line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE)}…` : line}`);
  if (written.length > MOST_LINES) written.splice(MOST_LINES, Infinity, "    …");
  const missing = Object.entries(given.change).flatMap(([key, value]) => (value === undefined ? [key] : []));
  const shown = missing.length > 0 ? [`    # without ${missing.join(", ")}`] : [];
  if (!written.every((line) => line.trim() === "{}")) shown.push(...written);
  const lines = mistakes(manifest(given)).map((found: Mistake) => `- ${format(found)}`);
  return [`## ${given.title}`, "", ...shown, "", ...lines].join("\n");
}
