/**
 * Waits until the API server reaches the validating webhook: Ready Pods are not enough, because caBundle may not be written
 * yet, or not be known to the API server yet. Used by deploy.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "../cluster/index";

/** Valid, and selects nothing. Never stored: the request is a dry run. */
const PROBE = {
  apiVersion: "crd.antrea.io/v1alpha2",
  kind: "TrafficControl",
  metadata: { name: "deployment-probe" },
  spec: { appliedTo: {}, direction: "Both", action: "Mirror", targetPort: { ovsInternal: { name: "probe" } } },
};

export async function webhookAnswers(cluster: Cluster, timeoutSeconds: number): Promise<void> {
  const end = Date.now() + timeoutSeconds * 1000;
  for (;;) {
    const args = ["create", "--dry-run=server", "-f", "-"];
    const { stderr, exitCode } = await cluster.host("kubectl", args, { input: JSON.stringify(PROBE) });
    if (exitCode === 0) return;
    // "failed calling webhook": not reached. Anything else is an answer, and not the one that is right.
    const notReached = stderr.includes("failed calling webhook");
    if (!notReached || Date.now() > end)
      throw new Error(
        `Creating a TrafficControl (a dry run) ${notReached ? `still fails after ${timeoutSeconds} s` : "fails"}: ${stderr.trim()}`,
      );
    await sleep(200);
  }
}
