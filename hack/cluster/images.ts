/**
 * The two images that every node has: the Pods' sandbox ("pause") and a small one for tests, both nothing but Debian's
 * static busybox. Written here as an OCI archive, because there is no registry to pull from.
 */
import { execa } from "execa";
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { cached, type Progress } from "../toolchain";
import { tar, type TarEntry } from "./tar";

export const PAUSE_IMAGE = "localhost/pause:1";
export const TEST_IMAGE = "localhost/busybox:1";

const BUSYBOX = "/bin/busybox";
/** Changes when the contents of the images change for another reason than a new busybox. */
const RECIPE = "1";

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}

/** Path of the archive with both images; made on the first call. */
export async function baseImages(progress?: Progress): Promise<string> {
  const busybox = await readFile(BUSYBOX);
  const recipe = `${RECIPE} ${createHash("sha256").update(busybox).digest("hex")}`;
  const build = async (into: string): Promise<void> => {
    const applets = (await execa(BUSYBOX, ["--list"])).stdout.split("\n").filter(Boolean);
    await writeFile(path.join(into, "images.tar"), archive(busybox, applets));
  };
  return path.join(await cached({ tool: "base-images", version: RECIPE, recipe, build }, progress), "images.tar");
}

function archive(busybox: Buffer, applets: string[]): Buffer {
  const PATH = "PATH=/bin:/sbin:/usr/bin:/usr/sbin";
  return ociArchive(layer(busybox, applets), {
    // 68 years. The sandbox is ended by SIGKILL, so nothing has to listen to signals.
    [PAUSE_IMAGE]: { User: "65535:65535", Env: [PATH], Entrypoint: ["/bin/sleep", "2147483647"] },
    [TEST_IMAGE]: { Env: [PATH], Cmd: ["/bin/sh"] },
  });
}

/** Images of one layer, which is a tar archive, by name with their configuration. */
export function ociArchive(root: Buffer, images: Record<string, object>): Buffer {
  const blobs: TarEntry[] = [];
  const add = (mediaType: string, content: Buffer | string): Descriptor => {
    const bytes = Buffer.from(content);
    const digest = createHash("sha256").update(bytes).digest("hex");
    const name = `blobs/sha256/${digest}`;
    if (!blobs.some((blob) => blob.name === name)) blobs.push({ name, content: bytes });
    return { mediaType, digest: `sha256:${digest}`, size: bytes.length };
  };
  const image = (name: string, config: object): object => {
    const rootfs = { type: "layers", diff_ids: [`sha256:${createHash("sha256").update(root).digest("hex")}`] };
    const architecture = process.arch === "x64" ? "amd64" : process.arch;
    const manifest = {
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: add(
        "application/vnd.oci.image.config.v1+json",
        JSON.stringify({ architecture, os: "linux", config, rootfs }),
      ),
      layers: [add("application/vnd.oci.image.layer.v1.tar", root)],
    };
    const annotations = { "io.containerd.image.name": name, "org.opencontainers.image.ref.name": name };
    return { ...add(manifest.mediaType, JSON.stringify(manifest)), annotations };
  };
  const manifests = Object.entries(images).map(([name, config]) => image(name, config));
  return tar([
    { name: "oci-layout", content: JSON.stringify({ imageLayoutVersion: "1.0.0" }) },
    { name: "index.json", content: JSON.stringify({ schemaVersion: 2, manifests }) },
    ...blobs,
  ]);
}

function layer(busybox: Buffer, applets: string[]): Buffer {
  return tar([
    ...["bin", "etc", "root", "var", "var/www"].map((name) => ({ name: `${name}/`, directory: true })),
    { name: "tmp/", directory: true, mode: 0o1777 },
    { name: "etc/passwd", content: "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n" },
    { name: "etc/group", content: "root:x:0:\nnobody:x:65534:\n" },
    { name: "bin/busybox", content: busybox, mode: 0o755 },
    ...applets.filter((name) => name !== "busybox").map((name) => ({ name: `bin/${name}`, link: "busybox" })),
  ]);
}
