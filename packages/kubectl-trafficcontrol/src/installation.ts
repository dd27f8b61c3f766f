/** Where the operator is and how it is set, read from its Deployment; its defaults where that is gone or may not be read. */
import type { Kubectl } from "./kubectl";

export interface Installation {
  /** False: there is no controller, or we may not see it. */
  isThere: boolean;
  namespace: string;
  nodesNamespace: string;
  honoursOptOut: boolean;
  programmerImage?: string;
  ovsRunDirectory?: string;
  netnsDirectory?: string;
}

interface Deployment {
  metadata: { namespace: string };
  spec: { template: { spec: { containers: { env?: { name: string; value?: string }[] }[] } } };
}

const CONTROLLER = "app.kubernetes.io/name=ovs-traffic-control";

export async function installationOf(kubectl: Kubectl): Promise<Installation> {
  const args = ["get", "deployments", "--all-namespaces", "--selector", CONTROLLER, "-o", "json"];
  const { exitCode, stdout } = await kubectl.ask(args);
  return installation(exitCode === 0 ? (JSON.parse(stdout) as { items: Deployment[] }).items : []);
}

/** Pure: the operator's Deployments → what they say. */
export function installation(deployments: readonly Deployment[]): Installation {
  for (const { metadata, spec } of deployments) {
    const env = spec.template.spec.containers.flatMap((container) => container.env ?? []);
    const read = (name: string): string | undefined => env.find((each) => each.name === name)?.value;
    const nodesNamespace = read("NODES_NAMESPACE");
    if (nodesNamespace === undefined) continue;
    return {
      isThere: true,
      namespace: metadata.namespace,
      nodesNamespace,
      honoursOptOut: read("NAMESPACE_OPT_OUT") !== "false",
      programmerImage: read("PROGRAMMER_IMAGE"),
      ovsRunDirectory: read("OVS_RUNDIR"),
      netnsDirectory: read("NETNS_DIR"),
    };
  }
  return {
    isThere: false,
    namespace: "ovs-traffic-control",
    nodesNamespace: "ovs-traffic-control-nodes",
    honoursOptOut: true,
  };
}
