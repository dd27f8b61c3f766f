/** The acts of the demo, on a cluster that runs the operator: each does something as a user would and looks. Used by main.ts. */
import type { Cluster } from "../cluster";
import { Capture } from "../../test/support/capture";
import type { Packet } from "../../test/support/decode";
import { bridgeDifference, bridgeState } from "../../test/support/e2e/bridges";
import type { BridgeState } from "../../test/support/e2e/bridges";
import type { Collector } from "../../test/support/e2e/collector";
import { Pod, WEB, podObject } from "../../test/support/e2e/pods";
import { packetDifference, segmentsBetween } from "../../test/support/e2e/traffic";
import type { Findings, Traffic } from "./screen";

const NAMESPACE = "demo";
const NAME = "mirror-web-app";
const MANIFEST = "docs/examples/mirror-web-app.yaml";
const FAULTY = "test/e2e/manifests/guide-redirect.yaml";
/** To each of the two web Pods. */
const REQUESTS = 10;

export interface Cast {
  web: Pod[];
  client: Pod;
}

/** Web Pods on two nodes and a client on a third, if there is one. */
export async function startPods(cluster: Cluster): Promise<Cast> {
  const node = (index: number): string => cluster.nodes[index % cluster.nodes.length]!;
  const pods = [
    { name: "web-1", node: node(0), labels: { app: "web" }, script: WEB },
    { name: "web-2", node: node(1), labels: { app: "web" }, script: WEB },
    { name: "client", node: node(2) },
  ].map((options) => podObject({ namespace: NAMESPACE, ...options }));
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } };
  await apply(cluster, [namespace]);
  await apply(cluster, pods);
  await cluster.kubectl([...inNamespace, "wait", "pod", "--all", "--for=condition=Ready", "--timeout=60s"]);
  const { items } = JSON.parse(await cluster.kubectl([...inNamespace, "get", "pods", "--output=json"])) as {
    items: { metadata: { name: string; uid: string }; spec: { nodeName: string }; status: { podIP: string } }[];
  };
  const [one, two, client] = await Promise.all(
    pods.map((pod) => {
      const { metadata, spec, status } = items.find((item) => item.metadata.name === pod.metadata.name)!;
      return Pod.of(cluster, pod, spec.nodeName, metadata.uid, status.podIP);
    }),
  );
  const cast = { web: [one!, two!], client: client! };
  // A Pod is Ready as soon as its process runs; the first answer says that it serves.
  await requestAll(cluster, cast.web, 1, 5);
  return cast;
}

export function bridges(cluster: Cluster): Promise<BridgeState[]> {
  return Promise.all(cluster.nodes.map((node) => bridgeState(cluster, node)));
}

/** Applies the guide's example; returns the table once it is Ready. */
export async function mirror(cluster: Cluster): Promise<string> {
  await cluster.kubectl(["apply", "--filename", MANIFEST]);
  await cluster.kubectl(["wait", `tc/${NAME}`, "--for=condition=Ready", "--timeout=60s"]);
  return cluster.kubectl(["get", "tc"]);
}

/** Real requests, counted at the client's own interface and at the collector. */
export async function traffic(cluster: Cluster, collector: Collector, { web, client }: Cast): Promise<Traffic> {
  const atClient = await Capture.start({ enter: client.launch, device: "eth0", filter: "tcp port 80" });
  const atCollector = await collector.capture();
  try {
    await requestAll(cluster, web, REQUESTS);
    const sent = await atClient.stop();
    const collected = await atCollector.stop();
    const copies = web.flatMap(({ address }) => segmentsBetween(collected, client.address, address));
    return {
      requests: REQUESTS * web.length,
      sent,
      copies: copies.toSorted(byTime),
      ...packetDifference(sent, copies),
    };
  } finally {
    await Promise.all([atClient.discard(), atCollector.discard()]);
  }
}

/** Applies the guide's redirect example, which contradicts itself. */
export async function refusal(cluster: Cluster): Promise<NonNullable<Findings["refusal"]> & { refused: boolean }> {
  const { exitCode, stderr, stdout } = await cluster.host("kubectl", ["apply", "--filename", FAULTY]);
  const answer = `${stdout}${stderr}`;
  return { command: `kubectl apply -f ${FAULTY}`, answer, refused: exitCode !== 0 && answer.includes("Redirect?") };
}

/** Deletes the example, makes the same requests once more, and compares the bridges with what they were. */
export async function deletion(
  cluster: Cluster,
  collector: Collector,
  { web }: Cast,
  before: BridgeState[],
): Promise<NonNullable<Findings["deletion"]>> {
  await cluster.kubectl(["delete", "tc", NAME, "--timeout=60s"]);
  const capture = await collector.capture();
  try {
    await requestAll(cluster, web, REQUESTS);
    const copies: Packet[] = await capture.stop();
    const after = await bridges(cluster);
    const differences = cluster.nodes.flatMap((node, index) =>
      bridgeDifference(before[index]!, after[index]!).map((line) => `${node} ${line}`),
    );
    return { copies: copies.length, requests: REQUESTS * web.length, differences };
  } finally {
    await capture.discard();
  }
}

/** What an interrupted demo, or one with --keep, has left in the cluster. */
export async function removeShow(cluster: Cluster): Promise<void> {
  const gone = ["--ignore-not-found", "--timeout=60s"];
  await cluster.kubectl(["delete", "tc", NAME, ...gone]);
  await cluster.kubectl([...inNamespace, "delete", "pod", "--all", "--now", ...gone]);
}

const inNamespace = ["--namespace", NAMESPACE];

async function requestAll(cluster: Cluster, web: Pod[], count: number, tries = 1): Promise<void> {
  const one = `for try in $(seq ${tries}); do timeout 5 wget -q -O /dev/null $url && break; [ $try != ${tries} ] && sleep 0.2 || exit 1; done`;
  const urls = web.map(({ address }) => `http://${address}/`).join(" ");
  const script = `for url in ${urls}; do for n in $(seq ${count}); do ${one}; done; done`;
  await cluster.kubectl([...inNamespace, "exec", "client", "--", "sh", "-c", script]);
}

async function apply(cluster: Cluster, objects: object[]): Promise<void> {
  const input = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
  await cluster.kubectl(["apply", "--filename", "-"], { input });
}

function byTime(a: Packet, b: Packet): number {
  return a.time - b.time;
}
