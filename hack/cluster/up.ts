/** Brings a cluster up, or what is missing of it. Called by main.ts and, through the door, by demo, tests and benchmarks. */
import { Listr, type ListrTask } from "listr2";
import {
  binaries as findBinaries,
  checkPrerequisites,
  installPrerequisites,
  withLock,
  type Progress,
} from "../toolchain";
import { Cluster } from "./cluster";
import { baseImages } from "./images";
import { NETWORKS, type NetworkName } from "./network";
import { MOST_NODES, Places } from "./places";
import { bootId, readState } from "./state";
import { joinNodes, makeState, prepareNode, startControlPlane, type Found } from "./steps";

export interface UpOptions {
  name: string;
  /** How many nodes: as many as it has or 3, if left out. A running cluster keeps what it has beyond that. */
  nodes?: number;
  /** What the Pods hang on: what the cluster has or "ovs", if left out. */
  network?: NetworkName;
  /** Image archives to load into the nodes. */
  images?: string[];
  /** Told what is done, instead of a task list on the terminal. */
  report?: (text: string) => void;
}

export async function up(options: UpOptions): Promise<Cluster> {
  const places = new Places(options.name);
  const { nodes = 1, report } = options;
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > MOST_NODES)
    throw new Error(`A cluster has 1 to ${MOST_NODES} nodes, not ${nodes}`);
  const say = report ?? ((text: string) => console.error(text));
  const onWait = (holder: string): void => say(`waiting for process ${holder}, which works on cluster ${places.name}`);
  await withLock(places.lock, { onWait }, async () => {
    const plain = { registerSignalListeners: false } as const;
    const failures: unknown[] = [];
    const steps = tasks(places, await networkOf(places, options.network), options, failures);
    try {
      if (report) await new Listr<Found, "silent">(steps, { ...plain, renderer: "silent" }).run();
      else await new Listr<Found>(steps, plain).run();
    } catch (error) {
      throw failures[0] ?? error;
    }
  });
  return Cluster.open(options.name);
}

/** A cluster keeps the network that it was made with. */
async function networkOf(places: Places, wanted: NetworkName | undefined): Promise<NetworkName> {
  const old = await readState(places);
  if (old?.boot !== bootId()) return wanted ?? "ovs";
  if (wanted === undefined || wanted === old.network) return old.network;
  throw new Error(
    `Cluster ${places.name} has the network ${old.network}, not ${wanted}. Take it down first: npm run cluster -- down --name ${places.name}`,
  );
}

/** Steps for listr2. A failure is kept for the end: listr2 would print it with every task around the one that failed. */
function tasks(places: Places, network: NetworkName, options: UpOptions, failures: unknown[]): ListrTask<Found>[] {
  const step = (title: string, work: (found: Found, say: Progress) => Promise<void>): ListrTask<Found> => ({
    title,
    task: async (found, task) => {
      options.report?.(title);
      try {
        await work(found, (text) => {
          task.output = text;
          options.report?.(text);
        });
      } catch (error) {
        failures.push(error);
        throw new Error("see below");
      }
    },
  });
  return [
    step("Prerequisites", async (_found, say) => {
      const { installable, problems } = await checkPrerequisites(["cluster", ...NETWORKS[network].purposes]);
      if (problems.length > 0) throw new Error(problems.join("\n"));
      await installPrerequisites(installable, say);
    }),
    step("Kubernetes, etcd and base images", async (found, say) => {
      found.binaries = await findBinaries(say);
      found.baseImages = await baseImages(say);
      found.images = options.images ?? [];
    }),
    step("State and the network's central part", async (found, say) => {
      found.network = NETWORKS[network];
      found.nodes = await makeState(places, { count: options.nodes, network }, say);
      await found.network.startCentral(places);
    }),
    {
      title: "Control plane and nodes",
      task: ({ nodes }, task) => {
        const controlPlane = step("etcd, API server", (found) => startControlPlane(places, found));
        const prepare = (node: string): ListrTask<Found> =>
          step(`${node}: Open vSwitch, containerd`, (found) => prepareNode(places, node, found));
        return task.newListr([controlPlane, ...nodes.map(prepare)], { concurrent: true });
      },
    },
    step("Nodes are Ready", (found) => joinNodes(places, found)),
  ];
}
