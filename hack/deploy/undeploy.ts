/**
 * Takes the operator out of the embedded cluster: first the TrafficControls, while there is still somebody to clean up the
 * nodes, then the release. Called by the demo, the end-to-end tests and the benchmarks.
 */
import type { Cluster } from "../cluster/index";
import type { Progress } from "../toolchain";
import { helm } from "./helm";
import { NAMESPACE, RELEASE } from "./names";

export async function undeploy(cluster: Cluster, progress: Progress = () => undefined): Promise<void> {
  progress("Deleting all TrafficControls");
  const resources = await cluster.kubectl(["api-resources", "--api-group=crd.antrea.io", "--output=name"]);
  if (resources.includes("trafficcontrols"))
    await cluster.kubectl(["delete", "trafficcontrols", "--all", "--wait", "--timeout=120s"]);
  progress("Uninstalling the release");
  await helm(cluster, ["uninstall", RELEASE, "--namespace", NAMESPACE, "--ignore-not-found", "--wait"], progress);
  // With it go what the controller has made: its Lease, and the certificates that a new release would begin with.
  progress("Deleting the namespace");
  await cluster.kubectl(["delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait", "--timeout=60s"]);
}
