/**
 * Builds Argo CD from its Go module, without its user interface, and takes its CRDs along. Later versions than 3.2.11 cannot
 * be built so: 3.2.12 does not compile, and from 3.3 on a nested module cannot be had.
 */
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import path from "node:path";
import type { CachedTool } from "./cache";
import { go } from "./go";
import { VERSIONS } from "./versions";

const MODULE = "github.com/argoproj/argo-cd/v3";
const CRDS = ["application-crd.yaml", "appproject-crd.yaml"];
const program = readFileSync(path.join(import.meta.dirname, "argo-cd/main.go"), "utf8");

/** A go.mod that can build a program of the module's packages: a module's "replace" counts only where it is the main one. */
function argoModule(upstream: string): string {
  const goVersion = /^go (\S+)$/m.exec(upstream)?.[1] ?? VERSIONS.go;
  const replacements = [...upstream.matchAll(/^(?:replace |\t)(\S+(?: v\S+)? => \S+ v\S+)/gm)].map(([, each]) => each);
  if (replacements.length === 0) throw new Error(`go.mod of ${MODULE} v${VERSIONS.argoCd} replaces no modules`);
  return [
    "module ovs-traffic-control.dev/toolchain/argo-cd",
    `go ${goVersion}`,
    `require ${MODULE} v${VERSIONS.argoCd}`,
    ...replacements.map((each) => `replace ${each}`),
    "",
  ].join("\n");
}

export const argoCdTool: CachedTool = {
  tool: "argo-cd",
  version: VERSIONS.argoCd,
  recipe: program,
  build: async (into, scratch, progress) => {
    const options = { cwd: scratch, what: `Argo CD ${VERSIONS.argoCd}`, progress };
    const download = ["mod", "download", "-json", `${MODULE}@v${VERSIONS.argoCd}`];
    const { GoMod, Dir } = JSON.parse(await go(download, { cwd: scratch })) as { GoMod: string; Dir: string };
    await writeFile(path.join(scratch, "go.mod"), argoModule(await readFile(GoMod, "utf8")));
    await writeFile(path.join(scratch, "main.go"), program);
    await go(["mod", "tidy"], options);
    const flags = ["-trimpath", "-ldflags", `-s -w -X ${MODULE}/common.version=${VERSIONS.argoCd}`];
    await go(["build", "-v", ...flags, "-o", path.join(into, "argo-cd"), "."], options);
    for (const name of CRDS) await copyFile(path.join(Dir, "manifests/crds", name), path.join(into, name));
  },
};
