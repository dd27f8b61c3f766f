/**
 * Compares flows with a file in golden/, written for reading: a table per paragraph, a flow per line. After a wanted
 * change, run the tests once with GOLDEN=write and read the difference before committing it.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Flow } from "ovs-ofctl-wrapper";
import { KIND, kindOf, valueOf } from "../../../packages/node-programmer/src/pipeline";

const TABLES: Record<number, string> = {
  0: "table 0 (shared)",
  240: "240 ENTRY",
  241: "241 VLAN",
  242: "242 SOURCE",
  243: "243 DESTINATION",
  244: "244 ACT",
  245: "245 COPY",
  249: "249 HAND_BACK",
};
const KINDS = Object.fromEntries(Object.entries(KIND).map(([name, kind]) => [kind, name]));

function readable(flows: readonly Flow[]): string {
  const tables = [...new Set(flows.map(({ table }) => table))].sort((a, b) => a - b);
  return tables
    .map((table) => {
      const lines = flows
        .filter((flow) => flow.table === table)
        .map(({ priority, match, actions, cookie }) => {
          const value = valueOf(cookie);
          const kind = `${KINDS[kindOf(cookie)] ?? "?"}${value === 0 ? "" : ` ${value.toString(16).padStart(8, "0")}`}`;
          return `  ${String(priority).padStart(5)}  ${(match || "*").padEnd(44)} ${actions}  # ${kind}`;
        });
      return `${TABLES[table] ?? table}\n${lines.join("\n")}\n`;
    })
    .join("\n");
}

export function matchesGolden(name: string, flows: readonly Flow[]): void {
  const file = path.join(import.meta.dirname, "golden", `${name}.txt`);
  const text = readable(flows);
  if (process.env["GOLDEN"] === "write") writeFileSync(file, text);
  assert.equal(text, readFileSync(file, "utf8"), `golden/${name}.txt differs; GOLDEN=write renews it`);
}
