/**
 * Writes docs/reference/<kind>.md from crds/*.yaml, and the chart's dashboard and README. Called by `npm run generate`; with --check, from the lint suite, it
 * only says which pages are stale.
 */
import { readFile, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { parse } from "yaml";
import { chartPage } from "./chart";
import { dashboard } from "./dashboard";
import { type Crd, page } from "./markdown";

const root = path.join(import.meta.dirname, "../..");
const check = process.argv.includes("--check");

const files = await readdir(path.join(root, "crds"));
const pages = await Promise.all(
  files.map(async (file) => {
    const crd = parse(await readFile(path.join(root, "crds", file), "utf8"), { maxAliasCount: -1 }) as Crd;
    return [
      `docs/reference/${crd.spec.names.kind.toLowerCase()}.md`,
      `crds/${file}`,
      page(crd, `crds/${file}`),
    ] as const;
  }),
);
const chart = "charts/ovs-traffic-control";
const [about, values] = await Promise.all(
  ["Chart.yaml", "values.yaml"].map((name) => readFile(path.join(root, chart, name), "utf8")),
);
const wanted = [
  ...pages,
  [`${chart}/README.md`, `${chart}/values.yaml`, chartPage(about!, values!)] as const,
  ["charts/ovs-traffic-control/files/dashboard.json", "hack/codegen/dashboard.ts", dashboard()] as const,
];
for (const [target, source, content] of wanted) {
  const there = await readFile(path.join(root, target), "utf8").catch(() => "");
  if (there === content) continue;
  if (check) {
    console.error(`${target} is not what ${source} says: run npm run generate.`);
    process.exitCode = 1;
  } else await writeFile(path.join(root, target), content);
}
if (check) console.log(`Looked at ${wanted.length} pages.`);
