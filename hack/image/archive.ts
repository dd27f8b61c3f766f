/**
 * Writes an image as an OCI archive. `buildah push` could, but compresses all layers each time, of which nearly everything
 * has not changed; here each layer is compressed once. Called by the image build, which holds a lock.
 */
import { createHash } from "node:crypto";
import { execa } from "execa";
import { createReadStream, createWriteStream } from "node:fs";
import { link, mkdir, readFile, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import type { Progress } from "../toolchain";
import type { Buildah } from "./buildah";

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  annotations?: Record<string, string>;
}
interface Manifest {
  schemaVersion: number;
  mediaType: string;
  config: Descriptor;
  layers: Descriptor[];
}

const OCI = "application/vnd.oci.image";
/** Twice as fast as the default, for a tenth more. */
const GZIP_LEVEL = 3;

/**
 * @param buildah has the image
 * @param image its name, which the archive gives to it too
 * @param archive the file to be written
 * @param cache folder that keeps the layers of the last image, compressed
 */
export async function writeArchive(
  buildah: Buildah,
  image: string,
  archive: string,
  cache: string,
  progress: Progress,
): Promise<void> {
  const scratch = `${archive}.partial`;
  const [plain, layout] = [path.join(scratch, "plain"), path.join(scratch, "layout")];
  const blob = (digest: string): string => path.join(layout, "blobs/sha256", hex(digest));
  await rm(scratch, { recursive: true, force: true });
  await mkdir(path.join(layout, "blobs/sha256"), { recursive: true });
  await mkdir(cache, { recursive: true });
  try {
    progress("Image: taking it out of buildah's storage");
    await buildah.push(image, `dir:${plain}`, ["--disable-compression"], progress);
    const manifest = JSON.parse(await readFile(path.join(plain, "manifest.json"), "utf8")) as Manifest;
    progress("Image: writing the archive");
    const layers: Descriptor[] = [];
    for (const { digest } of manifest.layers) {
      const file = await compress(path.join(plain, hex(digest)), cache);
      const compressed = `sha256:${file.slice(-67, -3)}`;
      await link(file, blob(compressed));
      layers.push({ mediaType: `${OCI}.layer.v1.tar+gzip`, digest: compressed, size: (await stat(file)).size });
    }
    await rename(path.join(plain, hex(manifest.config.digest)), blob(manifest.config.digest));
    await writeIndex(layout, JSON.stringify({ ...manifest, layers }), image);
    await execa("tar", ["-cf", path.join(scratch, "archive"), "-C", layout, "oci-layout", "index.json", "blobs"]);
    await rename(path.join(scratch, "archive"), archive);
    await keepOnly(manifest.layers, cache);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** The layer's compressed file in the cache, named <digest of the layer>-<digest of the file>.gz. */
async function compress(layer: string, cache: string): Promise<string> {
  const name = path.basename(layer);
  const found = (await readdir(cache)).find((file) => file.startsWith(`${name}-`));
  if (found !== undefined) return path.join(cache, found);
  const partial = path.join(cache, `${name}.partial`);
  const hash = createHash("sha256");
  const gzip = createGzip({ level: GZIP_LEVEL });
  gzip.on("data", (chunk: Buffer) => hash.update(chunk));
  await pipeline(createReadStream(layer), gzip, createWriteStream(partial));
  const file = path.join(cache, `${name}-${hash.digest("hex")}.gz`);
  await rename(partial, file);
  return file;
}

/** The files of an OCI image layout beside the layers and the configuration. */
async function writeIndex(layout: string, manifest: string, image: string): Promise<void> {
  const digest = createHash("sha256").update(manifest).digest("hex");
  const descriptor: Descriptor = {
    mediaType: `${OCI}.manifest.v1+json`,
    digest: `sha256:${digest}`,
    size: Buffer.byteLength(manifest),
    annotations: { "org.opencontainers.image.ref.name": image, "io.containerd.image.name": image },
  };
  const index = { schemaVersion: 2, mediaType: `${OCI}.index.v1+json`, manifests: [descriptor] };
  await writeFile(path.join(layout, "blobs/sha256", digest), manifest);
  await writeFile(path.join(layout, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  await writeFile(path.join(layout, "index.json"), JSON.stringify(index));
}

async function keepOnly(layers: Descriptor[], cache: string): Promise<void> {
  const used = new Set(layers.map(({ digest }) => hex(digest)));
  for (const file of await readdir(cache))
    if (!used.has(file.slice(0, 64))) await rm(path.join(cache, file), { force: true });
}

function hex(digest: string): string {
  return digest.slice("sha256:".length);
}
