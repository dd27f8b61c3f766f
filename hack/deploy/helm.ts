/** Runs helm where the API server is reachable. Used by this room and by the chart's tests. */
import type { Cluster } from "../cluster/index";
import { helm as helmBinary, type Progress } from "../toolchain";

/** Standard output of helm; throws with its standard error. */
export async function helm(cluster: Cluster, args: string[], progress?: Progress): Promise<string> {
  const { stdout, stderr, exitCode } = await cluster.host(await helmBinary(progress), args);
  if (exitCode === 0) return stdout;
  // Helm remarks on the symbolic link to crds/ at each start.
  const why = stderr.split("\n").filter((line) => line !== "" && !line.includes("found symbolic link"));
  throw new Error(`helm ${args.join(" ")} ended with ${exitCode}: ${why.join("\n")}`);
}
