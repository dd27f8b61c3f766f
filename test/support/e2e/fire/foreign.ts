/** What an administrator has on the nodes and in the API beside the operator, so that it shows if somebody touches it. Used by test/e2e/under-fire.test.ts. */
import type { Cluster } from "../../../../hack/cluster";
import type { Objects, Reference } from "../objects";
import { TEST_LABEL } from "../taps";

const COOKIE = "0xf0e";
const FLOWS = [
  "table=0,priority=7,dl_type=0x88b5,actions=drop",
  "table=0,priority=7,dl_type=0x88b6,actions=resubmit(,5)",
  "table=5,priority=7,actions=drop",
];
const PORT = "foreign0";
/** In the namespace of the operator's own Jobs and files. */
const OBJECT = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { namespace: "ovs-traffic-control-nodes", name: "foreign", labels: TEST_LABEL },
};

export class Foreign {
  /** When each node got its flows, in seconds since the epoch. */
  private readonly flowsSince = new Map<string, number>();
  private version: string | undefined;

  private constructor(
    private readonly cluster: Cluster,
    private readonly objects: Objects,
  ) {}

  static async place(cluster: Cluster, objects: Objects): Promise<Foreign> {
    const foreign = new Foreign(cluster, objects);
    const add = `-- --may-exist add-port br-int ${PORT} -- set Interface ${PORT} type=internal external_ids:owner=somebody`;
    for (const node of cluster.nodes) {
      await run(cluster, node, `ovs-vsctl -t 10 ${add} mac='"02:00:00:00:0f:0e"'`);
      await foreign.addFlows(node);
    }
    foreign.version = (
      await objects.apply<Versioned>({ ...OBJECT, data: { owner: "somebody" } })
    ).metadata.resourceVersion;
    return foreign;
  }

  /** As their owner does it: Open vSwitch has none after a restart. */
  async addFlows(node: string): Promise<void> {
    for (const flow of FLOWS) await run(this.cluster, node, `ovs-ofctl add-flow br-int 'cookie=${COOKIE},${flow}'`);
    this.flowsSince.set(node, Date.now() / 1000);
  }

  /** One line for what is not there any more as it was made. A flow that was removed and added again is too young. */
  async touched(): Promise<string[]> {
    const found: string[] = [];
    for (const [node, since] of this.flowsSince) {
      const flows = await run(this.cluster, node, `ovs-ofctl dump-flows br-int 'cookie=${COOKIE}/-1'`);
      const ages = [...flows.matchAll(/duration=([\d.]+)s/g)].map(([, seconds]) => Number(seconds));
      if (ages.length !== FLOWS.length) found.push(`${node}: ${ages.length} of ${FLOWS.length} flows: ${flows}`);
      const age = Date.now() / 1000 - since;
      if (ages.some((seconds) => seconds < age - 1)) found.push(`${node}: flows of ${ages.join(", ")} s, ${age} s ago`);
    }
    const { metadata } = (await this.objects.read<Versioned>(OBJECT)) ?? {};
    if (metadata?.resourceVersion !== this.version) found.push(`the ConfigMap has been written or removed`);
    return found;
  }

  async remove(): Promise<void> {
    for (const node of this.cluster.nodes) {
      await run(this.cluster, node, `ovs-ofctl del-flows br-int 'cookie=${COOKIE}/-1'`);
      await run(this.cluster, node, `ovs-vsctl -t 10 --if-exists del-port br-int ${PORT}`);
    }
    await this.objects.delete(OBJECT);
  }
}

type Versioned = Reference & { metadata: { resourceVersion?: string }; data?: Record<string, string> };

async function run(cluster: Cluster, node: string, script: string): Promise<string> {
  const { stdout, stderr, exitCode } = await cluster.exec(node, "sh", ["-c", script]);
  if (exitCode !== 0) throw new Error(`${node}: ${script}: ${stderr.trim()}`);
  return stdout;
}
