/**
 * Bundles the two programs of the image with esbuild. Called by the image build and by `npm run image -- --bundle-only`.
 * Why not `pepr build`: docs/decisions/0001-own-bundle.md.
 */
import { build } from "esbuild";
import { readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";

export const REPOSITORY = path.join(import.meta.dirname, "../..");
const DIST = path.join(REPOSITORY, "dist");

const PROGRAMS = { main: "pepr.ts", "node-programmer": "packages/node-programmer/src/main.ts" };

/** Bundled CommonJS modules (express, pino) call require(), which an ES module does not have. */
const REQUIRE = `import { createRequire as createRequireOfBundle } from "node:module"; const require = createRequireOfBundle(import.meta.url);`;

const OPTIONS = {
  absWorkingDir: REPOSITORY,
  entryPoints: PROGRAMS,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  banner: { js: REQUIRE },
  // Not the identifiers: kubernetes-fluent-client looks up a kind by the name of its class.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: "none",
  logLevel: "error",
} as const;

/** Files, relative to the repository, of which there is code in the bundles. */
export async function bundledFiles(): Promise<string[]> {
  const { metafile } = await build({ ...OPTIONS, outdir: DIST, write: false, metafile: true });
  const used = Object.values(metafile.outputs).flatMap(({ inputs }) => Object.entries(inputs));
  return used.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([file]) => file);
}

/** Fills dist/, or another directory, anew. Everything is bundled: the image has no node_modules. Returns the files' contents by name. */
export async function bundle(directory = DIST): Promise<Record<string, Buffer>> {
  await rm(directory, { recursive: true, force: true });
  await build({ ...OPTIONS, outdir: directory });
  await writeFile(path.join(directory, "package.json"), `{ "type": "module" }\n`);
  const files = [...Object.keys(PROGRAMS).map((name) => `${name}.js`), "package.json"];
  return Object.fromEntries(
    await Promise.all(files.map(async (name) => [name, await readFile(path.join(directory, name))] as const)),
  );
}
