/** What of a cluster and of the operator can be killed, each found again by its process id whenever its turn comes. Used by test/e2e/under-fire.test.ts. */
import type { Cluster } from "../../../../hack/cluster";
import type { Objects, Reference } from "../objects";
import { operatorProcesses, type Component } from "../operator-processes";

const OPERATOR = "ovs-traffic-control";
const LEASE = {
  apiVersion: "coordination.k8s.io/v1",
  kind: "Lease",
  metadata: { namespace: OPERATOR, name: "ovs-traffic-control-controller" },
};

export interface Victim {
  name: string;
  /** Only for what is on a node. */
  node?: string;
  /** What it takes along on its node: nothing is forwarded, or the taps are gone, too. */
  takesAlong?: "forwarding" | "forwarding and taps";
  /** Throws if it does not run. */
  pid: () => Promise<number>;
}

/** Everything that can die. On one of the nodes that are given, what every node has. */
export function victims(
  cluster: Cluster,
  objects: Objects,
  nodes: { anyOf: string[]; tapped: string[]; pick: (from: string[]) => string },
): Victim[] {
  const program = (name: string, rest: Partial<Victim> = {}): Victim => ({
    ...{ name, ...rest },
    pid: () => Promise.resolve(cluster.pidOf(name) ?? missing(name)),
  });
  const controlPlane = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"];
  const onSomeNode = ["kubelet", "containerd", "kube-proxy", "ovsdb-server"].map((name) => {
    const node = nodes.pick(nodes.anyOf);
    return program(`${node}-${name}`, { node, takesAlong: name === "ovsdb-server" ? "forwarding" : undefined });
  });
  const processOf = (component: Component, host: (name: string) => boolean): number =>
    operatorProcesses(cluster).find((found) => found.component === component && host(found.host))?.pid ??
    missing(`a process of the ${component}`);
  const holder = async (): Promise<string> =>
    (await objects.read<{ spec: { holderIdentity?: string } } & Reference>(LEASE))?.spec.holderIdentity ?? "";
  const programmed = nodes.pick(nodes.tapped);
  return [
    ...controlPlane.map((name) => program(name)),
    ...onSomeNode,
    ...nodes.tapped.map((node) => program(`${node}-ovs-vswitchd`, { node, takesAlong: "forwarding and taps" })),
    {
      name: "the controller's leader",
      pid: async () => {
        const identity = await holder();
        return processOf("controller", (host) => identity.startsWith(`${host}_`));
      },
    },
    {
      name: "the controller that does not lead",
      pid: async () => {
        const identity = await holder();
        return processOf("controller", (host) => !identity.startsWith(`${host}_`));
      },
    },
    { name: "an admission server", pid: () => Promise.resolve(processOf("admission", () => true)) },
    {
      name: `the programmer of ${programmed}`,
      node: programmed,
      pid: () => Promise.resolve(processOf("programmer", (host) => host === programmed)),
    },
  ];
}

function missing(what: string): never {
  throw new Error(`${what} does not run`);
}
