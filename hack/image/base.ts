/**
 * The image that the Dockerfile starts from, made without a registry: Debian bookworm by mmdebstrap, Node's binary from
 * npm, under the tag of the image that it stands for. Called by the image build.
 */
import { copyFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { cached, type CachedTool, type Progress } from "../toolchain";
import { NODE_VERSION, SLIM, debootstrap, nodeBinary, sources } from "./debian";

/** What the Dockerfile says after FROM, in full. */
export const BASE_NAME = "docker.io/library/node:24-bookworm-slim";

const DEBOOTSTRAP = [
  "--variant=minbase",
  "--format=tar",
  // What the official image has; without it the package usrmerge brings Perl.
  "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
  "--include=usr-is-merged",
  ...SLIM,
];

const DOCKERFILE = `FROM scratch
ADD debian.tar /
COPY node /usr/local/bin/node
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin NODE_VERSION=${NODE_VERSION}
CMD ["node"]
`;

const base: CachedTool = {
  tool: "image-base",
  version: `bookworm-node${NODE_VERSION}`,
  recipe: [...DEBOOTSTRAP, ...sources, DOCKERFILE].join("\n"),
  build: async (into, scratch, progress) => {
    progress(`Image: Node ${NODE_VERSION} from npm`);
    await copyFile(await nodeBinary(scratch), path.join(into, "node"));
    progress("Image: Debian bookworm by mmdebstrap");
    await debootstrap(DEBOOTSTRAP, path.join(into, "debian.tar"), scratch);
    await writeFile(path.join(into, "Dockerfile"), DOCKERFILE);
  },
};

/** The folder to build the base image from, and the key of its content. */
export async function baseContext(progress: Progress): Promise<{ directory: string; key: string }> {
  const directory = await cached(base, progress);
  return { directory, key: path.basename(directory) };
}
