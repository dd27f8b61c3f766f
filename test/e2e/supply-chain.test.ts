/** What is published: the image's bill of materials against the image itself, and the workflows by actionlint. */
import assert from "node:assert/strict";
import path from "node:path";
import { execa } from "execa";
import { buildImage, fileInImage, filesInImage, NODE_VERSION } from "../../hack/image";
import { imageBom, npmBom } from "../../hack/supply-chain";
import { actionlint } from "../../hack/toolchain";

const ROOT = path.join(import.meta.dirname, "../..");

describe("the supply chain", () => {
  let archive = "";

  before(async () => {
    ({ archive } = await buildImage());
  });

  it("has a bill of materials with what the image runs: Node, Open vSwitch's programs, and Pepr", async () => {
    const bom = imageBom(await npmBom(ROOT), await fileInImage(archive, "var/lib/dpkg/status"), NODE_VERSION);
    const names = new Set(bom.components.map(({ purl }) => purl.replace(/@[^@]*$/, "")));
    for (const name of ["generic/node", "deb/debian/openvswitch-common", "deb/debian/iproute2", "npm/pepr"])
      assert.ok(names.has(`pkg:${name}`), name);
  });

  it("has an image with the programs that are called, and neither a shell nor a package manager", async () => {
    const files = await filesInImage(archive);
    const programs = files.filter((file) => /(^|\/)s?bin\//.test(file));
    assert.deepEqual(programs, ["usr/bin/ip", "usr/bin/node", "usr/bin/nsenter", "usr/bin/ovs-ofctl"]);
    assert.deepEqual(
      files.filter((file) => !/^((usr\/bin|usr\/lib(64)?|usr\/share\/doc|etc|app|var\/lib\/dpkg)\/|lib64$)/.test(file)),
      ["bin", "lib", "sbin", "usr/sbin"],
    );
  });

  it("has workflows that actionlint finds nothing wrong with", async () => {
    const { exitCode, stdout, stderr } = await execa(await actionlint(), ["-no-color"], { cwd: ROOT, reject: false });
    assert.equal(exitCode, 0, stdout + stderr);
  });
});
