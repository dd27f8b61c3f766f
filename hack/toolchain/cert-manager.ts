/**
 * cert-manager, out of its Go module: its CRDs, which the chart's certificates are checked against, and its controllers and
 * cainjector as one program (cert-manager/main.go), which only the long end-to-end tests run.
 */
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import path from "node:path";
import type { CachedTool, Progress } from "./cache";
import { go } from "./go";
import { moduleAround } from "./go-module";
import { VERSIONS } from "./versions";

const MODULE = { path: "github.com/cert-manager/cert-manager", version: VERSIONS.certManager };
const program = readFileSync(path.join(import.meta.dirname, "cert-manager/main.go"), "utf8");

/** The files in the CRDs' folder. */
export const CERT_MANAGER_CRDS = ["crd-certificates.yaml", "crd-certificaterequests.yaml", "crd-issuers.yaml"];

export const certManagerCrdsTool: CachedTool = {
  tool: "cert-manager-crds",
  version: MODULE.version,
  recipe: CERT_MANAGER_CRDS.join("\n"),
  build: async (into, scratch, progress) => {
    progress(`CRDs of cert-manager ${MODULE.version}`);
    const { Dir } = await download(scratch);
    for (const name of CERT_MANAGER_CRDS) await copyFile(path.join(Dir, "deploy/crds", name), path.join(into, name));
  },
};

export const certManagerTool: CachedTool = {
  tool: "cert-manager",
  version: MODULE.version,
  recipe: program,
  build: async (into, scratch, progress: Progress) => {
    const options = { cwd: scratch, what: `cert-manager ${MODULE.version}`, progress };
    const { GoMod } = await download(scratch);
    await writeFile(path.join(scratch, "go.mod"), moduleAround("cert-manager", MODULE, await readFile(GoMod, "utf8")));
    await writeFile(path.join(scratch, "main.go"), program);
    await go(["mod", "tidy"], options);
    await go(["build", "-v", "-trimpath", "-ldflags", "-s -w", "-o", path.join(into, "cert-manager"), "."], options);
  },
};

async function download(cwd: string): Promise<{ GoMod: string; Dir: string }> {
  const answer = await go(["mod", "download", "-json", `${MODULE.path}@v${MODULE.version}`], { cwd });
  return JSON.parse(answer) as { GoMod: string; Dir: string };
}
