/** Builds KWOK, which plays the kubelets of very many nodes, from its Go module. */
import type { CachedTool } from "./cache";
import { go } from "./go";
import { VERSIONS } from "./versions";

const program = "sigs.k8s.io/kwok/cmd/kwok";

export const kwokTool: CachedTool = {
  tool: "kwok",
  version: VERSIONS.kwok,
  recipe: program,
  build: async (into, scratch, progress) => {
    await go(["install", "-v", "-ldflags", "-s -w", `${program}@v${VERSIONS.kwok}`], {
      cwd: scratch,
      env: { GOBIN: into, GOFLAGS: "-buildvcs=false" },
      what: `KWOK ${VERSIONS.kwok}`,
      progress,
    });
  },
};
