/**
 * Writes docs/reference/<kind>.md from crds/*.yaml. Called by `npm run generate`; with --check, from the lint suite, it
 * only says which pages are stale.
 */
import { readFile, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { parse } from "yaml";
import { type Crd, page } from "./markdown";

const root = path.join(import.meta.dirname, "../..");
const check = process.argv.includes("--check");

const files = await readdir(path.join(root, "crds"));
for (const file of files) {
  const crd = parse(await readFile(path.join(root, "crds", file), "utf8"), { maxAliasCount: -1 }) as Crd;
  const target = `docs/reference/${crd.spec.names.kind.toLowerCase()}.md`;
  const wanted = page(crd, `crds/${file}`);
  const there = await readFile(path.join(root, target), "utf8").catch(() => "");
  if (there === wanted) continue;
  if (check) {
    console.error(`${target} is not what crds/${file} says: run npm run generate.`);
    process.exitCode = 1;
  } else await writeFile(path.join(root, target), wanted);
}
if (check) console.log(`Looked at ${files.length} pages.`);
