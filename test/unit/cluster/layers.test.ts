/** Image layers that nodes share: what identifies them, and how an archive's layers are read and unpacked. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, lstatSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { snapshotFolder } from "../../../hack/cluster/containerd";
import { chains, layersOf, OpaqueFolder, unpacked } from "../../../hack/cluster/layers";
import { tar, type TarEntry } from "../../../hack/cluster/tar";

const sha256 = (content: Buffer | string): string => `sha256:${createHash("sha256").update(content).digest("hex")}`;

/** An OCI archive with one image of these layers. */
function archiveOf(layers: TarEntry[][]): Buffer {
  const blobs = new Map<string, Buffer>();
  const add = (content: Buffer): string => {
    blobs.set(sha256(content), content);
    return sha256(content);
  };
  const tars = layers.map(tar);
  const config = add(Buffer.from(JSON.stringify({ rootfs: { diff_ids: tars.map(sha256) } })));
  const descriptors = tars.map((layer) => ({ mediaType: "layer", digest: add(gzipSync(layer)) }));
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const digest = add(Buffer.from(JSON.stringify({ mediaType, config: { digest: config }, layers: descriptors })));
  return tar([
    { name: "index.json", content: JSON.stringify({ manifests: [{ mediaType, digest }] }) },
    ...[...blobs].map(([name, content]) => ({ name: `blobs/${name.replace(":", "/")}`, content })),
  ]);
}

/** Unpacking keeps the owners of files. */
function needsRoot(test: Mocha.Context): void {
  if (process.getuid?.() !== 0) test.skip();
}

describe("the chain of an image's layers", () => {
  it("is that of the OCI image specification", () => {
    const [one, two, three] = chains(["sha256:a", "sha256:b", "sha256:c"]);
    assert.equal(one, "sha256:a");
    assert.equal(two, sha256("sha256:a sha256:b"));
    assert.equal(three, sha256(`${two} sha256:c`));
  });
});

describe("the folder of a snapshot", () => {
  const folder = "io.containerd.snapshotter.v1.overlayfs/snapshots/3/fs";
  it("is the upper one of an overlay", () => {
    const below = folder.replace("3", "1");
    const options = `workdir=/var/lib/containerd/x/snapshots/3/work,upperdir=/var/lib/containerd/${folder},lowerdir=/var/lib/containerd/${below}`;
    assert.equal(snapshotFolder(`mount -t overlay overlay /mnt -o index=off,${options}`), `containerd/${folder}`);
  });
  it("is the one that is bound where there is nothing below", () => {
    assert.equal(
      snapshotFolder(`mount -t bind /var/lib/containerd/${folder} /mnt -o rw,rbind`),
      `containerd/${folder}`,
    );
  });
  it("is unknown for another snapshotter", () => {
    assert.equal(snapshotFolder("mount -t ext4 /dev/loop1 /mnt"), undefined);
  });
});

describe("an image archive", () => {
  let directory: string;
  let oldCache: string | undefined;
  const write = (content: Buffer): string => {
    const file = path.join(directory, "image.tar");
    writeFileSync(file, content);
    return file;
  };

  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), "ovs-traffic-control-layers-"));
    oldCache = process.env["XDG_CACHE_HOME"];
    process.env["XDG_CACHE_HOME"] = directory;
  });
  afterEach(() => {
    if (oldCache === undefined) delete process.env["XDG_CACHE_HOME"];
    else process.env["XDG_CACHE_HOME"] = oldCache;
    rmSync(directory, { recursive: true });
  });

  it("has its layers unpacked once", async function () {
    needsRoot(this);
    const archive = write(archiveOf([[{ name: "a", content: "one" }], [{ name: "b", content: "two", mode: 0o600 }]]));
    const layers = (await layersOf(archive)) ?? [];
    assert.deepEqual(
      layers.map(({ parent }) => parent),
      [undefined, layers[0]?.chain],
    );
    const [first, second] = [await unpacked(archive, layers[0]!), await unpacked(archive, layers[1]!)];
    assert.equal(readFileSync(path.join(first, "a"), "utf8"), "one");
    assert.equal(lstatSync(path.join(second, "b")).mode & 0o777, 0o600);
    rmSync(archive);
    assert.equal(await unpacked(archive, layers[1]!), second);
  });

  it("of another kind is left to containerd", async () => {
    assert.equal(await layersOf(write(tar([{ name: "manifest.json", content: "[]" }]))), undefined);
  });

  it("has files that are deleted in it marked as the overlay file system wants", async function () {
    needsRoot(this);
    const archive = write(archiveOf([[{ name: "etc/", directory: true }, { name: "etc/.wh.passwd" }]]));
    const root = await unpacked(archive, (await layersOf(archive))![0]!);
    const mark = lstatSync(path.join(root, "etc/passwd"));
    assert.ok(mark.isCharacterDevice() && mark.rdev === 0);
    assert.equal(existsSync(path.join(root, "etc/.wh.passwd")), false);
  });

  it("with a folder that hides the one below is refused, and leaves nothing behind", async function () {
    needsRoot(this);
    const archive = write(archiveOf([[{ name: "etc/", directory: true }, { name: "etc/.wh..wh..opq" }]]));
    const [layer] = (await layersOf(archive))!;
    await assert.rejects(unpacked(archive, layer!), OpaqueFolder);
    await assert.rejects(unpacked(archive, layer!), OpaqueFolder);
  });
});
