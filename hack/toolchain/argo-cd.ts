/**
 * Builds Argo CD from its Go module, without its user interface, and takes its CRDs along. Later versions than 3.2.11 cannot
 * be built so: 3.2.12 does not compile, and from 3.3 on a nested module cannot be had.
 */
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import path from "node:path";
import type { CachedTool } from "./cache";
import { go } from "./go";
import { moduleAround } from "./go-module";
import { VERSIONS } from "./versions";

const MODULE = "github.com/argoproj/argo-cd/v3";
const CRDS = ["application-crd.yaml", "appproject-crd.yaml"];
const program = readFileSync(path.join(import.meta.dirname, "argo-cd/main.go"), "utf8");

export const argoCdTool: CachedTool = {
  tool: "argo-cd",
  version: VERSIONS.argoCd,
  recipe: program,
  build: async (into, scratch, progress) => {
    const options = { cwd: scratch, what: `Argo CD ${VERSIONS.argoCd}`, progress };
    const download = ["mod", "download", "-json", `${MODULE}@v${VERSIONS.argoCd}`];
    const { GoMod, Dir } = JSON.parse(await go(download, { cwd: scratch })) as { GoMod: string; Dir: string };
    const module = { path: MODULE, version: VERSIONS.argoCd };
    await writeFile(path.join(scratch, "go.mod"), moduleAround("argo-cd", module, await readFile(GoMod, "utf8")));
    await writeFile(path.join(scratch, "main.go"), program);
    await go(["mod", "tidy"], options);
    const flags = ["-trimpath", "-ldflags", `-s -w -X ${MODULE}/common.version=${VERSIONS.argoCd}`];
    await go(["build", "-v", ...flags, "-o", path.join(into, "argo-cd"), "."], options);
    for (const name of CRDS) await copyFile(path.join(Dir, "manifests/crds", name), path.join(into, name));
  },
};
