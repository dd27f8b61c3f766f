/**
 * What the image, and the virtual machine of hack/kernel, are made of: Debian bookworm by mmdebstrap, Node's binary from
 * npm. Called by base.ts and hack/kernel.
 */
import { createHash } from "node:crypto";
import { execa } from "execa";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";

export const NODE_VERSION = "24.21.0";

/** Of Node's official binaries as npm packages, by process.arch; npm's own. */
const INTEGRITY: Partial<Record<NodeJS.Architecture, string>> = {
  x64: "sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==",
  arm64: "sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==",
};

/** Another place to get Debian from than its own, for machines that cannot reach that. */
const MIRROR = process.env["DEBIAN_MIRROR"] ?? "http://deb.debian.org";
export const sources = ["bookworm", "bookworm-updates"].map((suite) => `deb ${MIRROR}/debian ${suite} main`);
sources.push(`deb ${MIRROR}/debian-security bookworm-security main`);

/** Options of mmdebstrap. As Debian's own slim images: no manuals, translations, documentation but the licences. */
export const SLIM = ["exclude=/usr/share/doc/*", "include=/usr/share/doc/*/copyright"]
  .concat(["man", "locale", "info", "groff", "lintian"].map((name) => `exclude=/usr/share/${name}/*`))
  .map((rule) => `--dpkgopt=path-${rule}`);

/** Runs mmdebstrap with these options; `target` is a folder or an archive. */
export async function debootstrap(options: string[], target: string, scratch: string): Promise<void> {
  const list = path.join(scratch, "sources.list");
  await writeFile(list, `${sources.join("\n")}\n`);
  await execa("mmdebstrap", [...options, "bookworm", target, list], { env: { TMPDIR: scratch }, stdin: "ignore" });
}

/** Node's binary for this machine's architecture, downloaded into `scratch`. */
export async function nodeBinary(scratch: string): Promise<string> {
  const integrity = INTEGRITY[process.arch];
  if (!integrity)
    throw new Error(`No Node binary is known for ${process.arch}: add its npm package to hack/image/debian.ts.`);
  const name = `node-linux-${process.arch}`;
  await execa("npm", ["pack", "--silent", `${name}@${NODE_VERSION}`], { cwd: scratch });
  const archive = path.join(scratch, `${name}-${NODE_VERSION}.tgz`);
  const found = `sha512-${createHash("sha512")
    .update(await readFile(archive))
    .digest("base64")}`;
  if (found !== integrity) throw new Error(`${name}@${NODE_VERSION} from npm has ${found}, expected ${integrity}.`);
  await execa("tar", ["-xzf", archive, "package/bin/node"], { cwd: scratch });
  return path.join(scratch, "package/bin/node");
}
