/** The operator's Deployments in the cluster, by their names in the chart. Used by end-to-end tests. */
import { eventually } from "./eventually";
import type { Objects, Reference } from "./objects";

export const OPERATOR_NAMESPACE = "ovs-traffic-control";
export const JOBS_NAMESPACE = "ovs-traffic-control-nodes";
export const CONTROLLER = "ovs-traffic-control-controller";
export const ADMISSION = "ovs-traffic-control-admission";

/** Returns when all wanted Pods are ready and no other one is left. */
export async function scale(objects: Objects, deployment: string, replicas: number): Promise<void> {
  const metadata = { namespace: OPERATOR_NAMESPACE, name: deployment };
  await objects.patch({ apiVersion: "apps/v1", kind: "Deployment", metadata, spec: { replicas } });
  interface Found {
    status?: { readyReplicas?: number };
  }
  await eventually(
    `${deployment} has ${replicas} ready Pods`,
    async () => {
      const found = await objects.read<Found>({ apiVersion: "apps/v1", kind: "Deployment", metadata });
      const left = await podsOf(objects, deployment);
      return (found?.status?.readyReplicas ?? 0) === replicas && left === replicas;
    },
    { seconds: 60 },
  );
}

/** How many Pods it has, those included that are ending and those that outlive a deleted Deployment for a moment. */
export async function podsOf(objects: Objects, deployment: string): Promise<number> {
  const pods = await objects.list<Reference>("v1", "Pod", OPERATOR_NAMESPACE);
  return pods.filter(({ metadata: { name } }) => name.startsWith(`${deployment}-`)).length;
}
