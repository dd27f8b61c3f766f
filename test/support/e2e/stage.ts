/**
 * What every end-to-end test finds when it begins: the cluster, its API, a collector, and three Pods on as many nodes
 * as there are. Set up and taken down once for all tests by hooks.ts.
 */
import assert from "node:assert/strict";
import { Cluster } from "../../../hack/cluster";
import type { Capture } from "../capture";
import type { DecodeOptions } from "../decode";
import { bridgeDifference, bridgeState } from "./bridges";
import type { BridgeState } from "./bridges";
import { Collector } from "./collector";
import { eventually } from "./eventually";
import { Objects } from "./objects";
import type { Reference } from "./objects";
import { Pod, WEB, podsWithPorts } from "./pods";
import type { PodOptions } from "./pods";
import { request } from "./traffic";
import { TEST_LABEL, untapAll } from "./taps";

const SELECTOR = Object.entries(TEST_LABEL)
  .map(([key, value]) => `${key}=${value}`)
  .join(",");

const OPERATOR = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { namespace: "ovs-traffic-control", name: "ovs-traffic-control-controller" },
};

export class Stage {
  private constructor(
    readonly cluster: Cluster,
    readonly objects: Objects,
    readonly collector: Collector,
    /** Namespace of the Pods, new for each run. */
    readonly namespace: string,
    /** Web servers labelled app=web on two different nodes. */
    readonly web: [Pod, Pod],
    /** Not selected by anything; on a third node if there is one. */
    readonly client: Pod,
  ) {}

  static async setUp(clusterName: string | undefined): Promise<Stage> {
    const cluster = await Cluster.open(clusterName);
    const objects = Objects.connect(cluster.kubeconfig);
    if (!(await objects.read(OPERATOR))) {
      throw new Error(`The operator is not in cluster ${cluster.name}: npm run test:e2e brings up a cluster with it.`);
    }
    await removeLeftovers(objects);
    const namespace = `e2e-${Date.now().toString(36)}`;
    await objects.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace, labels: TEST_LABEL } });
    const node = (index: number): string => cluster.nodes[index % cluster.nodes.length]!;
    const start = (name: string, index: number, web: boolean): Promise<Pod> =>
      Pod.start(cluster, objects, {
        ...{ namespace, name, node: node(index), labels: { ...TEST_LABEL, ...(web ? { app: "web" } : {}) } },
        script: web ? WEB : undefined,
      });
    const collector = await Collector.open(cluster);
    try {
      const [one, two, client] = await Promise.all([
        start("web-1", 0, true),
        start("web-2", 1, true),
        start("client", 2, false),
      ]);
      for (const web of [one, two]) await eventually(`${web.address} serves`, () => request(client, web.address, 1));
      return new Stage(cluster, objects, collector, namespace, [one, two], client);
    } catch (error) {
      await collector.close();
      throw error;
    }
  }

  async tearDown(): Promise<void> {
    await this.collector.close();
    await removeLeftovers(this.objects);
  }

  /** After each test: nothing of it is left. */
  async reset(): Promise<void> {
    await untapAll(this.objects);
    const ours = new Set([...this.web, this.client].map(({ uid }) => uid));
    await removePods(this.objects, ours);
  }

  /** A further Pod, in the tests' namespace unless said otherwise; gone after the test. */
  startPod(options: Partial<PodOptions> & { name: string; node: string }): Promise<Pod> {
    const labels = { ...TEST_LABEL, ...options.labels };
    return Pod.start(this.cluster, this.objects, { namespace: this.namespace, ...options, labels });
  }

  /** Captures at the collector while `action` runs; returns the decoded packets of all of it. */
  async collect(
    action: () => Promise<unknown>,
    options: { filter?: string } & DecodeOptions = {},
  ): ReturnType<Capture["stop"]> {
    const capture = await this.collector.capture(options);
    try {
      await action();
      return await capture.stop();
    } finally {
      await capture.discard();
    }
  }

  /** What Open vSwitch on every node looks like, once Pods that come or go have done so there too. */
  async bridges(): Promise<BridgeState[]> {
    await eventually("Pods and ports on the nodes are the same", () => this.portsSettled(), { seconds: 60 });
    await logicalPortsSettled(this.cluster);
    return Promise.all(this.cluster.nodes.map((node) => bridgeState(this.cluster, node)));
  }

  /** Differences to an earlier state, one line each, with the node's name. */
  async bridgeDifferences(before: BridgeState[]): Promise<string[]> {
    const now = await this.bridges();
    return this.cluster.nodes.flatMap((node, index) =>
      bridgeDifference(before[index] ?? [], now[index] ?? []).map((line) => `${node} ${line}`),
    );
  }

  /** A Pod without grace period is gone from the API at once; its port follows when the kubelet gets to it. */
  private async portsSettled(): Promise<boolean> {
    interface Found {
      metadata: { uid: string; deletionTimestamp?: string };
      spec: { hostNetwork?: boolean };
      status?: { phase?: string };
    }
    const [pods, ...ports] = await Promise.all([
      this.objects.list<Found>("v1", "Pod"),
      ...this.cluster.nodes.map((node) => podsWithPorts(this.cluster, node)),
    ]);
    const expected = pods.filter(
      ({ spec, status }) => spec.hostNetwork !== true && !["Succeeded", "Failed"].includes(status?.phase ?? ""),
    );
    // Those still have a port, but not for long.
    assert.deepEqual(
      expected.filter(({ metadata }) => metadata.deletionTimestamp !== undefined).map(({ metadata }) => metadata.uid),
      [],
    );
    assert.deepEqual(ports.flat().sort(), expected.map(({ metadata }) => metadata.uid).sort());
    return true;
  }
}

/**
 * OVN follows its ports by way of two databases: a Pod's flows go when its logical port has gone, which is after its port on the
 * bridge. See `--wait=hv` in ovn-nbctl(8).
 */
async function logicalPortsSettled(cluster: Cluster): Promise<void> {
  if (cluster.network !== "ovn") return;
  const northbound = async (...args: string[]): Promise<string> => {
    const { stdout, stderr, exitCode } = await cluster.host("ovn-nbctl", ["--timeout=60", ...args]);
    if (exitCode !== 0) throw new Error(`ovn-nbctl ${args.join(" ")}: ${stderr.trim()}`);
    return stdout;
  };
  const find = ["--bare", "--columns=options", "find", "Logical_Switch_Port", "external_ids:pod=true"];
  await eventually("logical ports and the nodes' are those of the same Pods", async () => {
    const [logical, ...ports] = await Promise.all([
      northbound(...find),
      ...cluster.nodes.map((node) => podsWithPorts(cluster, node)),
    ]);
    const uids = [...logical.matchAll(/iface-id-ver=(\S+)/g)].map(([, uid]) => uid);
    assert.deepEqual(uids.sort(), ports.flat().sort());
    return true;
  });
  await northbound("--wait=hv", "sync");
}

/** What a run has left that could not clean up: TrafficControls first, Pods, then Namespaces without waiting for them. */
async function removeLeftovers(objects: Objects): Promise<void> {
  await untapAll(objects);
  await removePods(objects, new Set());
  const namespaces = await objects.list<Reference>("v1", "Namespace", undefined, SELECTOR);
  for (const { metadata } of namespaces) await objects.delete({ apiVersion: "v1", kind: "Namespace", metadata });
}

async function removePods(objects: Objects, kept: Set<string>): Promise<void> {
  type Found = Reference & { metadata: { uid: string } };
  const surplus = async (): Promise<Found[]> => {
    const pods = await objects.list<Found>("v1", "Pod", undefined, SELECTOR);
    return pods.filter(({ metadata }) => !kept.has(metadata.uid));
  };
  for (const { metadata } of await surplus()) await objects.delete({ apiVersion: "v1", kind: "Pod", metadata }, 0);
  await eventually("the tests' Pods are gone", async () => (await surplus()).length === 0, { seconds: 30 });
}
