/** The steps of `up`. Each looks at what is there, and makes only what is missing. */
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, readdir, readFile, rename } from "node:fs/promises";
import path from "node:path";
import { cniPluginDirectory, type Binaries, type Progress } from "../toolchain";
import { Api } from "./api";
import { makeCertificates } from "./certificates";
import { makeCgroups } from "./cgroups";
import { importBaseImages, importImages, startContainerd } from "./containerd";
import { apiServerReady, makeMachine, startApiServer, startControllers, startEtcd } from "./control-plane";
import { removeEverything } from "./down";
import { servicesWork, startKubelet, startKubeProxy } from "./kubelet";
import type { NetworkName, PodNetwork } from "./network";
import { makeNode, nodeProgram } from "./node";
import { createNodes, defaultAccountExists, lastHeartbeat, nodeReady } from "./objects";
import { startOpenvSwitch } from "./open-vswitch";
import { nodeName, type Places } from "./places";
import { until } from "./programs";
import { bootId, readState, writeState } from "./state";

const DEFAULT_NODES = 3;
const OWN_PLUGIN = path.join(import.meta.dirname, "cni");

/** What a step finds out for the ones after it. */
export interface Found {
  binaries: Binaries;
  /** Archives: the one that every node needs, and the caller's. */
  baseImages: string;
  images: string[];
  nodes: string[];
  network: PodNetwork;
}

/** The names of the cluster's nodes; what an earlier boot or a broken-off `up` has left is gone. */
export async function makeState(
  places: Places,
  { count, network }: { count: number | undefined; network: NetworkName },
  say: Progress,
): Promise<string[]> {
  const old = await readState(places);
  const usable = old?.boot === bootId();
  if (!usable) {
    if (old) say("removing a cluster that did not survive a reboot");
    await removeEverything(places);
  }
  const nodes = Math.max(count ?? (usable ? 0 : DEFAULT_NODES), usable ? old.nodes : 0);
  const names = Array.from({ length: nodes }, (_, index) => nodeName(index + 1));
  await mkdir(places.state, { recursive: true, mode: 0o700 });
  await writeState(places, { boot: bootId(), nodes, network });
  await makeCgroups(places.cgroup, names);
  await makeMachine(places);
  await copyPlugins(places);
  return names;
}

export async function startControlPlane(places: Places, { binaries, nodes }: Found): Promise<void> {
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

export async function prepareNode(places: Places, node: string, found: Found): Promise<void> {
  await makeNode(places, node);
  const runtime = async (): Promise<void> => {
    await startContainerd(places, node, found.network);
    await importBaseImages(places, node, found.baseImages);
    for (const archive of found.images) await importImages(places, [node], path.resolve(archive));
  };
  const switches = async (): Promise<void> => {
    await startOpenvSwitch(places, node);
    await found.network.connectNode(places, node, found.nodes);
  };
  await Promise.all([runtime(), switches()]);
}

export async function joinNodes(places: Places, { binaries, nodes }: Found): Promise<void> {
  const api = new Api(places);
  try {
    await startControllers(places, binaries);
    const join = async (node: string): Promise<void> => {
      const kubelet = nodeProgram(node, "kubelet");
      const old = await lastHeartbeat(api, node);
      const started = await startKubelet(places, node, binaries);
      await startKubeProxy(places, node, binaries);
      const ready = (): Promise<boolean> => nodeReady(api, node, started ? old : undefined);
      await until(places, `${node} is Ready`, kubelet, ready, 90);
      const proxy = nodeProgram(node, "kube-proxy");
      await until(places, `Services work on ${node}`, proxy, () => servicesWork(places, node));
    };
    await Promise.all(nodes.map(join));
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
  const installed = ["host-local", "loopback"].map((name) => path.join(cniPluginDirectory(), name));
  const own = (await readdir(OWN_PLUGIN)).map((name) => path.join(OWN_PLUGIN, name));
  for (const from of [...installed, ...own]) {
    const to = path.join(directory, path.basename(from));
    if (existsSync(to) && (await readFile(from)).equals(await readFile(to))) continue;
    await copyFile(from, `${to}.new`);
    await chmod(`${to}.new`, 0o755);
    await rename(`${to}.new`, to); // one that is running cannot be written to
  }
}
