/** Builds actionlint, which checks GitHub's workflows, from its Go module. */
import type { CachedTool } from "./cache";
import { go } from "./go";
import { VERSIONS } from "./versions";

const program = "github.com/rhysd/actionlint/cmd/actionlint";

export const actionlintTool: CachedTool = {
  tool: "actionlint",
  version: VERSIONS.actionlint,
  recipe: program,
  build: async (into, scratch, progress) => {
    await go(["install", "-v", "-ldflags", "-s -w", `${program}@v${VERSIONS.actionlint}`], {
      cwd: scratch,
      env: { GOBIN: into, GOFLAGS: "-buildvcs=false" },
      what: `actionlint ${VERSIONS.actionlint}`,
      progress,
    });
  },
};
