/** A node's container runtime and the images in it. */
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { systemOf } from "./cgroups";
import { cniConfiguration, containerdConfiguration } from "./configuration";
import { run } from "./namespaces";
import { answers, insideNode, nodeProgram } from "./node";
import { nodeIndex, type Places } from "./places";
import { ensure, explained, until } from "./programs";

const SOCKET = "/run/containerd/containerd.sock";

export async function startContainerd(places: Places, node: string): Promise<void> {
  const directory = places.node(node);
  const file = path.join(directory, "containerd.toml");
  const configuration = containerdConfiguration(path.join(places.state, "cni-plugins"));
  await writeFile(file, configuration);
  await writeFile(path.join(directory, "cni-conf", "10-ovs.conflist"), cniConfiguration(nodeIndex(node)));
  const name = nodeProgram(node, "containerd");
  const argv = ["containerd", "--config", file];
  await ensure(places, { ...insideNode(places, node), name, group: systemOf(node), configuration, argv });
  await until(places, "containerd answers", name, () => answers(places, node, SOCKET));
}

/** Loads an image archive into a node. */
export async function importImages(places: Places, node: string, archive: string): Promise<void> {
  const what = `Loading ${archive} into ${node}`;
  const argv = ["ctr", "--namespace", "k8s.io", "images", "import", archive];
  await explained(places, nodeProgram(node, "containerd"), run(what, insideNode(places, node), argv));
}

/** The same for the one that every node has; its path says what is in there, and nobody loads over it. */
export async function importBaseImages(places: Places, node: string, archive: string): Promise<void> {
  const mark = path.join(places.node(node), "base-images");
  if (existsSync(mark) && (await readFile(mark, "utf8")) === archive) return;
  await importImages(places, node, archive);
  await writeFile(mark, archive);
}
