/** An image with this machine's tcpdump and the libraries it needs, for the plugin's `capture`: there is no registry to pull one from. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { ociArchive, tar, type Cluster } from "../../../hack/cluster";

export const TCPDUMP_IMAGE = "localhost/tcpdump:1";

export async function loadTcpdumpImage(cluster: Cluster): Promise<void> {
  const directory = mkdtempSync(path.join(tmpdir(), "tcpdump-image-"));
  try {
    const archive = path.join(directory, "image.tar");
    writeFileSync(archive, ociArchive(layer(), { [TCPDUMP_IMAGE]: { Env: ["PATH=/usr/bin"] } }));
    await cluster.load(archive);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** The files where they are on this machine; what is a link here is a file there. */
function layer(): Buffer {
  const program = execFileSync("which", ["tcpdump"], { encoding: "utf8" }).trim();
  const linked = execFileSync("ldd", [program], { encoding: "utf8" });
  const libraries = [...linked.matchAll(/(\/\S+) \(0x/g)].map(([, file]) => file!);
  const files = [
    { from: program, to: "/usr/bin/tcpdump" },
    ...libraries.map((library) => ({ from: library, to: library })),
  ];
  const passwd = { name: "etc/passwd", content: "root:x:0:0:root:/:/none\n" };
  const group = { name: "etc/group", content: "root:x:0:\n" };
  return tar([
    passwd,
    group,
    ...files.map(({ from, to }) => ({ name: to.slice(1), content: readFileSync(from), mode: 0o755 })),
  ]);
}
