/** Looks into an image. Called by hack/supply-chain and by the tests of the image. */
import { execa } from "execa";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

/**
 * The content as text, from the topmost layer that has the file; throws if none has.
 * @param archive OCI archive with one image
 * @param name path in the image, without the leading slash
 */
export function fileInImage(archive: string, name: string): Promise<string> {
  return withLayers(archive, async (layers) => {
    for (const layer of layers.reverse()) {
      // Layers have it with or without "./", and tar complains of the other one.
      const extract = ["-xzOf", layer, name, `./${name}`];
      const { stdout } = await execa("tar", extract, { reject: false, stripFinalNewline: false });
      if (stdout !== "") return stdout;
    }
    throw new Error(`${name} is in no layer of ${archive}.`);
  });
}

/** Paths of all files and links in the image, without the leading slash; also of those that an upper layer removes. */
export function filesInImage(archive: string): Promise<string[]> {
  return withLayers(archive, async (layers) => {
    const lists = await Promise.all(layers.map((layer) => execa("tar", ["-tzf", layer])));
    const names = lists.flatMap(({ stdout }) => stdout.split("\n")).filter((name) => !name.endsWith("/"));
    return [...new Set(names.map((name) => name.replace(/^\.\//, "")))].sort();
  });
}

/** @param use gets the layers' files, the lowest first */
async function withLayers<T>(archive: string, use: (layers: string[]) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(path.join(tmpdir(), "otc-image-"));
  try {
    await execa("tar", ["-xf", archive, "-C", directory]);
    const json = async (file: string): Promise<unknown> => JSON.parse(await readFile(file, "utf8"));
    const blob = (digest: string): string => path.join(directory, "blobs", digest.replace(":", "/"));
    const index = (await json(path.join(directory, "index.json"))) as { manifests: { digest: string }[] };
    const { layers } = (await json(blob(index.manifests[0]!.digest))) as { layers: { digest: string }[] };
    return await use(layers.map(({ digest }) => blob(digest)));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
