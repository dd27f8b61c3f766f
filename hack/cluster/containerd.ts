/** A node's container runtime and the images in it. */
import { execa } from "execa";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { systemOf } from "./cgroups";
import { cniConfiguration, containerdConfiguration } from "./configuration";
import { layersOf, OpaqueFolder, unpacked, type Layer } from "./layers";
import { inside, run } from "./namespaces";
import type { PodNetwork } from "./network";
import { answers, insideNode, nodeProgram } from "./node";
import { nodeIndex, type Places } from "./places";
import { ensure, explained, until } from "./programs";

const SOCKET = "/run/containerd/containerd.sock";

export async function startContainerd(places: Places, node: string, network: PodNetwork): Promise<void> {
  const directory = places.node(node);
  const file = path.join(directory, "containerd.toml");
  const configuration = containerdConfiguration(path.join(places.state, "cni-plugins"));
  await writeFile(file, configuration);
  await writeFile(path.join(directory, "cni-conf", "10-ovs.conflist"), cniConfiguration(nodeIndex(node), network));
  const name = nodeProgram(node, "containerd");
  const argv = ["containerd", "--config", file];
  await ensure(places, { ...insideNode(places, node), name, group: systemOf(node), configuration, argv });
  await until(places, "containerd answers", name, () => answers(places, node, SOCKET));
}

/** Loads an image archive into nodes. */
export async function importImages(places: Places, nodes: string[], archive: string): Promise<void> {
  const layers = await sharedLayers(archive);
  await Promise.all(
    nodes.map(async (node) => {
      const what = `Loading ${archive} into ${node}`;
      await ctr(places, node, what, ["images", "import", ...(layers ? ["--no-unpack"] : []), archive]);
      for (const { layer, directory } of layers ?? []) await giveLayer(places, node, layer, directory);
    }),
  );
}

/** The same for the small one that every node has; its path says what is in there, and nobody loads over it. */
export async function importBaseImages(places: Places, node: string, archive: string): Promise<void> {
  const mark = path.join(places.node(node), "base-images");
  if (existsSync(mark) && (await readFile(mark, "utf8")) === archive) return;
  await ctr(places, node, `Loading the base images into ${node}`, ["images", "import", archive]);
  await writeFile(mark, archive);
}

interface SharedLayer {
  layer: Layer;
  directory: string;
}

/** The archive's layers in the cache, lower ones first; undefined if containerd has to unpack them itself. */
async function sharedLayers(archive: string): Promise<SharedLayer[] | undefined> {
  const layers = await layersOf(archive);
  if (layers === undefined) return undefined;
  const shared: SharedLayer[] = [];
  try {
    for (const layer of layers) shared.push({ layer, directory: await unpacked(archive, layer) });
  } catch (error) {
    if (error instanceof OpaqueFolder) return undefined;
    throw error;
  }
  return shared;
}

/** Makes the snapshot that containerd would have made by unpacking the layer. */
async function giveLayer(places: Places, node: string, { chain, parent }: Layer, directory: string): Promise<void> {
  const [file, ...args] = inside(insideNode(places, node), ["ctr", ...NAMESPACE, "snapshots", "info", chain]);
  if ((await execa(file, args, { reject: false })).exitCode === 0) return;
  const what = `Giving ${node} the layer ${chain}`;
  const draft = `${chain.slice(7)}-${process.pid}`;
  await ctr(places, node, what, ["snapshots", "prepare", draft, ...(parent === undefined ? [] : [parent])]);
  const mounts = await ctr(places, node, what, ["snapshots", "mounts", "/mnt", draft]);
  const own = snapshotFolder(mounts);
  if (own === undefined) throw new Error(`${what}: containerd mounts a snapshot in a way unknown here: ${mounts}`);
  // Through the machine's own mounts: a hard link from one mount to another is refused, even on one file system.
  const target = path.join(places.node(node), own);
  const linked = await execa("cp", ["--archive", "--link", `${directory}/.`, target], { reject: false });
  if (linked.exitCode !== 0)
    await execa("cp", ["--archive", "--force", "--reflink=auto", "--remove-destination", `${directory}/.`, target]);
  await ctr(places, node, what, ["snapshots", "commit", chain, draft]);
}

/** Where a snapshot that is being made has its files, from the mount command that containerd gives, below its own folder. */
export function snapshotFolder(mounts: string): string | undefined {
  return /(?:upperdir=|-t bind )\/var\/lib\/(containerd\/[^\s,]+\/snapshots\/\d+\/fs)/.exec(mounts)?.[1];
}

const NAMESPACE = ["--namespace", "k8s.io"];

function ctr(places: Places, node: string, what: string, args: string[]): Promise<string> {
  const work = run(what, insideNode(places, node), ["ctr", ...NAMESPACE, ...args]);
  return explained(places, nodeProgram(node, "containerd"), work);
}
