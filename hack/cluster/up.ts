/** Brings a cluster up, or what is missing of it. Called by main.ts and, through the door, by demo, tests and benchmarks. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { Listr, type ListrTask } from "listr2";
import path from "node:path";
import {
  binaries as findBinaries,
  checkPrerequisites,
  cniPluginDirectory,
  installPrerequisites,
  withLock,
  type Binaries,
} from "../toolchain";
import { Api } from "./api";
import { makeCertificates } from "./certificates";
import { makeCgroups } from "./cgroups";
import { Cluster } from "./cluster";
import { apiServerReady, makeMachine, startApiServer, startControllers, startEtcd } from "./control-plane";
import { removeEverything } from "./down";
import { baseImages } from "./images";
import { namespaceExists } from "./namespaces";
import { createNodes, defaultAccountExists, nodesReady } from "./objects";
import {
  importImages,
  makeNode,
  nodeProgram,
  routeToNodes,
  startContainerd,
  startKubelet,
  startOpenvSwitch,
} from "./node";
import { MOST_NODES, nodeName, Places } from "./places";
import { until } from "./programs";
import { bootId, readState, writeState } from "./state";

const DEFAULT_NODES = 3;
const OVS_BRIDGE_PLUGIN = path.join(import.meta.dirname, "cni", "ovs-bridge");

export interface UpOptions {
  name: string;
  /** How many nodes: as many as it has or 3, if left out. A running cluster keeps what it has beyond that. */
  nodes?: number;
  /** Image archives to load into the nodes. */
  images?: string[];
  /** Told what is done, instead of a task list on the terminal. */
  report?: (text: string) => void;
}

export async function up(options: UpOptions): Promise<Cluster> {
  const places = new Places(options.name);
  const { nodes = 1 } = options;
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > MOST_NODES)
    throw new Error(`A cluster has 1 to ${MOST_NODES} nodes, not ${nodes}`);
  const onWait = (holder: string): void =>
    options.report?.(`waiting for process ${holder}, which works on ${places.name}`);
  await withLock(places.lock, { onWait }, () => runTasks(tasks(places, options), options));
  return Cluster.open(options.name);
}

function tasks(places: Places, options: UpOptions): ListrTask<object>[] {
  let binaries!: Binaries;
  let archives: string[] = [];
  let nodes: string[] = [];
  return [
    {
      title: "Prerequisites",
      task: async (_context, task) => {
        const { installable, problems } = await checkPrerequisites(["cluster"]);
        if (problems.length > 0) throw new Error(problems.join("\n"));
        await installPrerequisites(installable, (text) => (task.output = text));
      },
    },
    {
      title: "Kubernetes, etcd and base images",
      task: async (_context, task) => {
        binaries = await findBinaries((text) => (task.output = text));
        archives = [await baseImages(), ...(options.images ?? [])];
      },
    },
    {
      title: "State",
      task: async (_context, task) => {
        const old = await readState(places);
        if (old && (old.boot !== bootId() || !namespaceExists(places.machineNamespace))) {
          task.output = "removing what is left of an earlier one";
          await removeEverything(places);
        }
        const count = Math.max(options.nodes ?? (old ? 0 : DEFAULT_NODES), old?.nodes ?? 0);
        nodes = Array.from({ length: count }, (_, index) => nodeName(index + 1));
        await mkdir(places.state, { recursive: true, mode: 0o700 });
        await writeState(places, { boot: bootId(), nodes: count });
        await makeCgroups(places.cgroup, nodes);
        await makeMachine(places);
        await copyPlugins(places);
      },
    },
    {
      title: "Control plane and nodes",
      task: (_context, task) =>
        task.newListr(
          [
            { title: "etcd, API server", task: () => controlPlane(places, binaries, nodes) },
            ...nodes.map((node) => ({
              title: `${node}: Open vSwitch, containerd`,
              task: () => prepareNode(places, node, nodes, archives),
            })),
          ],
          { concurrent: true },
        ),
    },
    {
      title: "Nodes are Ready",
      task: async () => {
        await startControllers(places, binaries);
        await Promise.all(nodes.map((node) => startKubelet(places, node, binaries)));
        await allReady(places, nodes);
      },
    },
  ];
}

async function runTasks(list: ListrTask<object>[], { report }: UpOptions): Promise<void> {
  const plain = { registerSignalListeners: false } as const;
  if (report) await new Listr<object, "silent">(list, { ...plain, renderer: "silent" }).run();
  else await new Listr<object>(list, { ...plain, rendererOptions: { collapseErrors: false } }).run();
}

async function controlPlane(places: Places, binaries: Binaries, nodes: string[]): Promise<void> {
  await Promise.all([startEtcd(places, binaries), makeCertificates(places, nodes)]);
  await startApiServer(places, binaries);
  const api = new Api(places);
  try {
    await apiServerReady(places, api);
    await createNodes(api, nodes);
  } finally {
    api.close();
  }
}

async function prepareNode(places: Places, node: string, nodes: string[], archives: string[]): Promise<void> {
  await makeNode(places, node);
  await Promise.all([
    startOpenvSwitch(places, node).then(() => routeToNodes(places, node, nodes)),
    startContainerd(places, node).then(async () => {
      for (const archive of archives) await importOnce(places, node, archive);
    }),
  ]);
}

/** A node remembers which archives it has. */
async function importOnce(places: Places, node: string, archive: string): Promise<void> {
  const hash = createHash("sha256")
    .update(await readFile(archive))
    .digest("hex")
    .slice(0, 16);
  const mark = path.join(places.node(node), `image-${hash}`);
  if (existsSync(mark)) return;
  await importImages(places, node, archive);
  await writeFile(mark, "");
}

async function allReady(places: Places, nodes: string[]): Promise<void> {
  const api = new Api(places);
  try {
    for (const node of nodes)
      await until(places, `${node} is Ready`, nodeProgram(node, "kubelet"), () => nodesReady(api, [node]), 90);
    const controllers = "kube-controller-manager";
    await until(places, "Pods can be created in default", controllers, () => defaultAccountExists(api));
  } finally {
    api.close();
  }
}

/** The CNI plugins, where containerd of every node finds them. */
async function copyPlugins(places: Places): Promise<void> {
  const directory = path.join(places.state, "cni-plugins");
  await mkdir(directory, { recursive: true });
  const installed = cniPluginDirectory();
  for (const from of [`${installed}/host-local`, `${installed}/loopback`, OVS_BRIDGE_PLUGIN]) {
    const to = path.join(directory, path.basename(from));
    if (existsSync(to) && (await readFile(from)).equals(await readFile(to))) continue;
    await copyFile(from, `${to}.new`);
    await chmod(`${to}.new`, 0o755);
    await rename(`${to}.new`, to); // one that is running cannot be written to
  }
}
