/**
 * The image from the repository's Dockerfile, as an archive that `ctr images import` takes. Nothing is built if nothing
 * has changed. Called by `npm run image`, by hack/deploy and through it by the demo and the end-to-end tests.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, readdir, rm, stat, utimes } from "node:fs/promises";
import path from "node:path";
import { cacheDirectory, withLock, type Progress } from "../toolchain";
import { writeArchive } from "./archive";
import { baseContext, BASE_NAME } from "./base";
import { Buildah } from "./buildah";
import { aptConfiguration } from "./apt";
import { bundle, REPOSITORY } from "./bundle";

export interface ImageOptions {
  /** The image's tag; the version and a hash of the content if absent, so that another content never has the same name. */
  tag?: string;
  progress?: Progress;
}

export interface BuiltImage {
  /** OCI archive. */
  archive: string;
  /** The image's name as a container runtime knows it. */
  reference: string;
}

/** The Dockerfile's first stage. */
const FILES_NAME = "localhost/ovs-traffic-control-files:latest";
const REPOSITORY_NAME = "docker.io/library/ovs-traffic-control";
const ARCHIVES_KEPT = 4;

export async function buildImage({ tag, progress = () => undefined }: ImageOptions = {}): Promise<BuiltImage> {
  const lock = path.join(cacheDirectory(), "image.lock");
  const onWait = (holder: string): void => progress(`Image: waiting for the build in process ${holder}`);
  return withLock(lock, { onWait }, async () => {
    progress("Image: bundling");
    const files = await bundle();
    const base = await baseContext(progress);
    const key = await contentKey(files, base.key);
    const reference = `${REPOSITORY_NAME}:${tag ?? `${await version()}-${key}`}`;
    const archives = path.join(cacheDirectory(), "image-archives");
    const archive = path.join(archives, `${tag ?? (await version())}-${key}.tar`);
    if (existsSync(archive)) {
      await utimes(archive, new Date(), new Date());
      return { archive, reference };
    }
    await mkdir(archives, { recursive: true });
    await makeArchive(base, reference, archive, progress);
    await removeOld(archives);
    return { archive, reference };
  });
}

async function makeArchive(
  base: { directory: string; key: string },
  reference: string,
  archive: string,
  progress: Progress,
): Promise<void> {
  const buildah = await Buildah.open(`${base.key}.storage`);
  if (!(await buildah.exists(BASE_NAME))) await buildah.build(BASE_NAME, base.directory, ["--layers=false"], progress);
  const args = ["--layers", ...(await aptConfiguration())];
  // Under a name of its own, so that prune() below leaves it: another bundle need not install Debian's packages again.
  await buildah.build(FILES_NAME, REPOSITORY, [...args, "--target", "files"], progress);
  const label = ["--label", `org.opencontainers.image.version=${await version()}`];
  await buildah.build(reference, REPOSITORY, [...args, ...label], progress);
  await writeArchive(buildah, reference, archive, buildah.file("layers"), progress);
  await buildah.prune();
}

/** Changes with whatever the image is made from. */
async function contentKey(files: Record<string, Buffer>, base: string): Promise<string> {
  const hash = createHash("sha256").update(base);
  for (const name of ["Dockerfile", ".dockerignore"]) hash.update(await readFile(path.join(REPOSITORY, name)));
  for (const [name, content] of Object.entries(files)) hash.update(`${name} ${content.length}\n`).update(content);
  return hash.digest("hex").slice(0, 12);
}

async function version(): Promise<string> {
  const text = await readFile(path.join(REPOSITORY, "package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** The latest few stay: going back to a branch of yesterday should not cost a build. */
async function removeOld(directory: string): Promise<void> {
  const files = (await readdir(directory)).map((name) => path.join(directory, name));
  const dated = await Promise.all(files.map(async (file) => ({ file, time: (await stat(file)).mtimeMs })));
  dated.sort((a, b) => b.time - a.time);
  for (const { file } of dated.slice(ARCHIVES_KEPT)) await rm(file, { force: true });
}
