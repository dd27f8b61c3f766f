/**
 * Bundles packages/kubectl-trafficcontrol into one program that kubectl finds on the PATH. Called by `npm run plugin` and by the
 * end-to-end tests. CommonJS, because a file without an extension is nothing else to Node.
 */
import { build } from "esbuild";
import { chmod, writeFile } from "node:fs/promises";
import path from "node:path";

const REPOSITORY = path.join(import.meta.dirname, "../..");

/** Returns the program's path. */
export async function bundlePlugin(directory = path.join(REPOSITORY, "dist-plugin")): Promise<string> {
  const program = path.join(directory, "kubectl-trafficcontrol");
  await build({
    absWorkingDir: REPOSITORY,
    entryPoints: ["packages/kubectl-trafficcontrol/src/main.ts"],
    outfile: program,
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    banner: { js: "#!/usr/bin/env node" },
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "none",
    logLevel: "error",
  });
  await chmod(program, 0o755);
  // Beside the program only as long as it is in this repository, whose own package.json says that it is an ES module.
  await writeFile(path.join(directory, "package.json"), `{ "type": "commonjs" }\n`);
  return program;
}
