/** Pods of the tests, bound to a node by hand, and a way into their network. Used by the tests, the benchmarks and the demo. */
import { TEST_IMAGE } from "../../../hack/cluster";
import type { Cluster } from "../../../hack/cluster";
import type { Launch } from "../capture";
import { eventually } from "./eventually";
import type { Objects, Reference } from "./objects";

export interface PodOptions {
  namespace: string;
  name: string;
  node: string;
  labels?: Record<string, string>;
  /** Shell script; sleeps for ever without one. */
  script?: string;
  /** What the kubelet asks of port 80 every second, such as "/"; one answer too few and the Pod is not Ready. */
  probe?: string;
}

interface PodObject extends Reference {
  metadata: { name: string; namespace: string; uid?: string; labels?: Record<string, string> };
  spec: Record<string, unknown>;
  status?: { podIP?: string; phase?: string; conditions?: { type: string; status: string }[] };
}

/** A web server on port 80 that answers with its own name. No probes: they would be traffic that nobody counts. */
export const WEB = "mkdir -p /www && hostname >/www/index.html && exec busybox httpd -f -p 80 -h /www";

export function podObject({
  namespace,
  name,
  node,
  labels = {},
  script = "exec sleep 1000000",
  probe,
}: PodOptions): PodObject {
  const readinessProbe = { httpGet: { path: probe, port: 80 }, periodSeconds: 1, failureThreshold: 1 };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, labels },
    spec: {
      nodeName: node,
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          ...{ name: "main", image: TEST_IMAGE, imagePullPolicy: "Never", command: ["busybox", "sh", "-c", script] },
          ...(probe === undefined ? {} : { readinessProbe }),
        },
      ],
    },
  };
}

/** A running Pod. */
export class Pod {
  private constructor(
    private readonly cluster: Cluster,
    readonly reference: PodObject,
    readonly node: string,
    readonly uid: string,
    readonly address: string,
    /** Path of its network namespace on the node. */
    private readonly networkNamespace: string,
  ) {}

  /** Creates it and waits until its containers run. */
  static async start(cluster: Cluster, objects: Objects, options: PodOptions): Promise<Pod> {
    await objects.create(podObject(options));
    return Pod.started(cluster, objects, options);
  }

  /** Waits until a Pod that somebody has created runs. */
  static async started(cluster: Cluster, objects: Objects, options: PodOptions): Promise<Pod> {
    const { namespace, name, node } = options;
    const reference = podObject(options);
    const pod = await eventually(
      `Pod ${namespace}/${name} runs on ${node}`,
      async () => {
        const found = await objects.read<PodObject>(reference);
        if (!isReady(found)) throw new Error(JSON.stringify(found?.status ?? "there is no such Pod"));
        return found;
      },
      { seconds: 30 },
    );
    return Pod.of(cluster, reference, node, pod.metadata.uid ?? "", pod.status?.podIP ?? "");
  }

  static async of(cluster: Cluster, reference: PodObject, node: string, uid: string, address: string): Promise<Pod> {
    return new Pod(cluster, reference, node, uid, address, await networkNamespace(cluster, node, uid));
  }

  /** What the kubelet says of it now. */
  async isReady(objects: Objects): Promise<boolean> {
    return isReady(await objects.read<PodObject>(this.reference));
  }

  /** Starts a program of the machine's in the Pod's network. */
  readonly launch: Launch = (command, args) =>
    this.cluster.spawnNode(this.node, "nsenter", [`--net=${this.networkNamespace}`, command, ...args]);

  /** Runs a shell script of the machine's busybox in the Pod's network; throws if it fails. */
  async run(script: string): Promise<string> {
    const args = [`--net=${this.networkNamespace}`, "busybox", "sh", "-c", script];
    const { stdout, stderr, exitCode } = await this.cluster.exec(this.node, "nsenter", args);
    if (exitCode === 0) return stdout;
    throw new Error(
      `In the network of Pod ${this.reference.metadata.name}: ${script}: exit ${exitCode}: ${stderr}${stdout}`,
    );
  }
}

/** Runs, has an address, and passes its probe if it has one. */
function isReady(pod: PodObject | undefined): boolean {
  const ready = pod?.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;
  return ready && pod.status?.podIP !== undefined;
}

/** UIDs of the Pods that have a port on a node's Open vSwitch, one for each port. */
export async function podsWithPorts(cluster: Cluster, node: string): Promise<string[]> {
  const list = (table: string): string[] => ["--", "--columns=external_ids", "list", table];
  const { stdout } = await cluster.exec(node, "ovs-vsctl", [
    ...["-t", "10", "--format=json", ...list("Port"), ...list("Interface")],
  ]);
  return [...stdout.matchAll(POD_UID)].map(([, uid]) => uid!);
}

/** What ovs-cni writes on the Port, and OVN-Kubernetes on the Interface. */
const POD_UID = /"(?:contPodUid|iface-id-ver)","([^"]+)"/g;

/** Behind the Pod's port: the kernel says where the other end of a veth is. */
async function networkNamespace(cluster: Cluster, node: string, uid: string): Promise<string> {
  const find = "ovs-vsctl -t 10 --bare --columns=name find";
  const script = `for port in $(${find} Port external_ids:contPodUid="$1"; ${find} Interface external_ids:iface-id-ver="$1")
    do ip -oneline link show dev "$port"; done`;
  const { stdout, stderr } = await cluster.exec(node, "sh", ["-c", script, "find-port", uid]);
  const found = /link-netns (\S+)/.exec(stdout)?.[1];
  if (found === undefined) throw new Error(`No port of Pod ${uid} on ${node}: ${stdout}${stderr}`);
  return `/run/netns/${found}`;
}
