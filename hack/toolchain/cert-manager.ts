/** CRDs of cert-manager, out of its Go module: what the chart's certificates are checked against. Nothing is built. */
import { copyFile } from "node:fs/promises";
import path from "node:path";
import type { CachedTool } from "./cache";
import { go } from "./go";
import { VERSIONS } from "./versions";

const MODULE = "github.com/cert-manager/cert-manager";

/** The files in the tool's folder. */
export const CERT_MANAGER_CRDS = ["crd-certificates.yaml", "crd-issuers.yaml"];

export const certManagerTool: CachedTool = {
  tool: "cert-manager-crds",
  version: VERSIONS.certManager,
  recipe: CERT_MANAGER_CRDS.join("\n"),
  build: async (into, scratch, progress) => {
    progress(`CRDs of cert-manager ${VERSIONS.certManager}`);
    const download = ["mod", "download", "-json", `${MODULE}@v${VERSIONS.certManager}`];
    const { Dir } = JSON.parse(await go(download, { cwd: scratch })) as { Dir: string };
    for (const name of CERT_MANAGER_CRDS) await copyFile(path.join(Dir, "deploy/crds", name), path.join(into, name));
  },
};
