/**
 * How apt gets out of this machine (a proxy, a CA), lent to the build and not kept in the image. buildah passes the
 * environment's proxy variables itself. Called by the image build.
 */
import { execa } from "execa";
import { existsSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

const CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt";

/** Arguments of `buildah build`. */
export async function aptConfiguration(): Promise<string[]> {
  const dump = await execa("apt-config", ["dump"], { reject: false });
  const lines = (dump.exitCode === 0 ? dump.stdout : "").split("\n");
  const wanted = lines.filter((line) => /^Acquire::https?::(\S+::)?(proxy|CaInfo) /i.test(line));
  if (wanted.length === 0) return [];
  const directory = await mkdtemp(path.join(tmpdir(), "otc-apt-"));
  const file = path.join(directory, "99host");
  await writeFile(file, `${wanted.join("\n")}\n`);
  const volumes = ["--volume", `${file}:/etc/apt/apt.conf.d/99host:ro`];
  if (existsSync(CERTIFICATES)) volumes.push("--volume", `${CERTIFICATES}:${CERTIFICATES}:ro`);
  return volumes;
}
