/**
 * Image layers, unpacked once into the cache and given to every node of every cluster as hard links: unpacking a layer
 * costs seconds of a processor per node. A container that writes to a file of its image gets a copy from the overlay file
 * system, so that nobody ever writes to what is shared. Called by containerd.ts.
 */
import { execa } from "execa";
import { createHash } from "node:crypto";
import { mkdir, readdir, rm, stat, utimes } from "node:fs/promises";
import path from "node:path";
import { cached, cacheDirectory, type Progress } from "../toolchain";

export interface Layer {
  /** Identifies this layer on top of those below it; containerd names its snapshots so. */
  chain: string;
  parent: string | undefined;
  /** Its blob in the archive. */
  digest: string;
}

interface Descriptor {
  digest: string;
  mediaType: string;
}

const TOOL = "image-layer";
const KEPT_DAYS = 14;
/** Says in a layer that nothing of the folder below shows through: the rest of a whiteout's name is a file's name. */
const OPAQUE = ".wh..wh..opq";

/** All layers of the images in an OCI archive, lower ones first; undefined if it is an archive of another kind. */
export async function layersOf(archive: string): Promise<Layer[] | undefined> {
  const { stdout: names } = await execa("tar", ["--list", "--file", archive]);
  if (!names.split("\n").includes("index.json")) return undefined;
  const index = (await read(archive, "index.json")) as { manifests: Descriptor[] };
  const layers = new Map<string, Layer>();
  for (const { digest, mediaType } of index.manifests) {
    if (!mediaType.includes("manifest.v1+json")) return undefined;
    const manifest = (await read(archive, blob(digest))) as { config: Descriptor; layers: Descriptor[] };
    const config = (await read(archive, blob(manifest.config.digest))) as { rootfs: { diff_ids: string[] } };
    let parent: string | undefined;
    for (const [i, chain] of chains(config.rootfs.diff_ids).entries()) {
      layers.set(chain, { chain, parent, digest: manifest.layers[i]!.digest });
      parent = chain;
    }
  }
  return [...layers.values()];
}

/** The OCI image specification's chain ids of a list of layers. */
export function chains(diffIds: string[]): string[] {
  return diffIds.reduce<string[]>((all, diffId) => {
    const below = all.at(-1);
    if (below === undefined) return [diffId];
    return [...all, `sha256:${createHash("sha256").update(`${below} ${diffId}`).digest("hex")}`];
  }, []);
}

/** The folder with the unpacked layer, in the form that the overlay file system wants. */
export async function unpacked(archive: string, { chain, digest }: Layer, progress?: Progress): Promise<string> {
  const build = async (into: string): Promise<void> => {
    await removeOldLayers();
    const root = path.join(into, "root");
    await mkdir(root, { mode: 0o755 });
    // tar itself finds out how the layer is compressed, if it can seek: hence the intermediate file.
    const script = `tar --extract --to-stdout --file "$1" "$2" >"$3/layer"
      tar --extract --file "$3/layer" --directory "$3/root" --numeric-owner --same-owner --xattrs --xattrs-include='*'
      rm "$3/layer"
      find "$3/root" -name '.wh.*' ! -name ${OPAQUE} | while IFS= read -r mark; do
        mknod "\${mark%/*}/\${mark##*/.wh.}" c 0 0
        rm "$mark"
      done`;
    await execa("sh", ["-euc", script, "sh", archive, blob(digest), into]);
    const { stdout: opaque } = await execa("find", [root, "-name", OPAQUE]);
    if (opaque !== "") throw new OpaqueFolder(opaque);
  };
  const directory = await cached({ tool: TOOL, version: chain.slice(7, 19), recipe: chain, build }, progress);
  await utimes(directory, new Date(), new Date());
  return path.join(directory, "root");
}

/** The mark that only containerd itself can set. Such an image is loaded the slow way. */
export class OpaqueFolder extends Error {}

async function removeOldLayers(): Promise<void> {
  for (const name of await readdir(cacheDirectory())) {
    const directory = path.join(cacheDirectory(), name);
    if (!name.startsWith(`${TOOL}-`) || name.endsWith(".lock") || name.includes(".partial-")) continue;
    const age = Date.now() - (await stat(directory)).mtimeMs;
    if (age > KEPT_DAYS * 24 * 3600 * 1000) await rm(directory, { recursive: true });
  }
}

const blob = (digest: string): string => `blobs/${digest.replace(":", "/")}`;

async function read(archive: string, name: string): Promise<unknown> {
  return JSON.parse((await execa("tar", ["--extract", "--to-stdout", "--file", archive, name])).stdout);
}
