/** Reads one file of an image. Called by hack/supply-chain. */
import { execa } from "execa";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

/**
 * The content as text, from the topmost layer that has the file; throws if none has.
 * @param archive OCI archive with one image
 * @param name path in the image, without the leading slash
 */
export async function fileInImage(archive: string, name: string): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), "otc-image-"));
  try {
    await execa("tar", ["-xf", archive, "-C", directory]);
    const json = async (file: string): Promise<unknown> => JSON.parse(await readFile(file, "utf8"));
    const blob = (digest: string): string => path.join(directory, "blobs", digest.replace(":", "/"));
    const index = (await json(path.join(directory, "index.json"))) as { manifests: { digest: string }[] };
    const { layers } = (await json(blob(index.manifests[0]!.digest))) as { layers: { digest: string }[] };
    for (const { digest } of layers.reverse())
      for (const stored of [name, `./${name}`]) {
        const found = await execa("tar", ["-xzOf", blob(digest), stored], { reject: false, stripFinalNewline: false });
        if (found.exitCode === 0) return found.stdout;
      }
    throw new Error(`${name} is in no layer of ${archive}.`);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
