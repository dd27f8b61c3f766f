/**
 * The image that the Dockerfile starts from, made without a registry: Debian bookworm by mmdebstrap, Node's binary from
 * npm, under the tag of the image that it stands for. Called by the image build.
 */
import { createHash } from "node:crypto";
import { execa } from "execa";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { cached, type CachedTool, type Progress } from "../toolchain";

/** What the Dockerfile says after FROM, in full. */
export const BASE_NAME = "docker.io/library/node:24-bookworm-slim";

/** Node's official binaries as npm packages, by process.arch; the integrity is npm's own. */
const NODE = {
  version: "24.21.0",
  integrity: {
    x64: "sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==",
    arm64: "sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==",
  } as Partial<Record<NodeJS.Architecture, string>>,
};

/** Another place to get Debian from than its own, for machines that cannot reach that. */
const MIRROR = process.env["DEBIAN_MIRROR"] ?? "http://deb.debian.org";
const sources = ["bookworm", "bookworm-updates"].map((suite) => `deb ${MIRROR}/debian ${suite} main`);
sources.push(`deb ${MIRROR}/debian-security bookworm-security main`);

/** As Debian's own slim images: no manuals, no translations, no documentation but the licences. */
const SLIM = ["exclude=/usr/share/doc/*", "include=/usr/share/doc/*/copyright"].concat(
  ["man", "locale", "info", "groff", "lintian"].map((name) => `exclude=/usr/share/${name}/*`),
);

const DEBOOTSTRAP = [
  "--variant=minbase",
  "--format=tar",
  // What the official image has; without it the package usrmerge brings Perl.
  "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
  "--include=usr-is-merged",
  ...SLIM.map((rule) => `--dpkgopt=path-${rule}`),
];

const DOCKERFILE = `FROM scratch
ADD debian.tar /
COPY node /usr/local/bin/node
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin NODE_VERSION=${NODE.version}
CMD ["node"]
`;

const base: CachedTool = {
  tool: "image-base",
  version: `bookworm-node${NODE.version}`,
  recipe: [...DEBOOTSTRAP, ...sources, DOCKERFILE].join("\n"),
  build: async (into, scratch, progress) => {
    progress(`Image: Node ${NODE.version} from npm`);
    await copyFile(await nodeBinary(scratch), path.join(into, "node"));
    progress("Image: Debian bookworm by mmdebstrap");
    const list = path.join(scratch, "sources.list");
    await writeFile(list, `${sources.join("\n")}\n`);
    await execa("mmdebstrap", [...DEBOOTSTRAP, "bookworm", path.join(into, "debian.tar"), list], {
      env: { TMPDIR: scratch },
      stdin: "ignore",
    });
    await writeFile(path.join(into, "Dockerfile"), DOCKERFILE);
  },
};

/** The folder to build the base image from, and the key of its content. */
export async function baseContext(progress: Progress): Promise<{ directory: string; key: string }> {
  const directory = await cached(base, progress);
  return { directory, key: path.basename(directory) };
}

async function nodeBinary(scratch: string): Promise<string> {
  const integrity = NODE.integrity[process.arch];
  if (!integrity)
    throw new Error(`No Node binary is known for ${process.arch}: add its npm package to hack/image/base.ts.`);
  const name = `node-linux-${process.arch}`;
  await execa("npm", ["pack", "--silent", `${name}@${NODE.version}`], { cwd: scratch });
  const archive = path.join(scratch, `${name}-${NODE.version}.tgz`);
  const found = `sha512-${createHash("sha512")
    .update(await readFile(archive))
    .digest("base64")}`;
  if (found !== integrity) throw new Error(`${name}@${NODE.version} from npm has ${found}, expected ${integrity}.`);
  await execa("tar", ["-xzf", archive, "package/bin/node"], { cwd: scratch });
  return path.join(scratch, "package/bin/node");
}
