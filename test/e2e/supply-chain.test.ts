/** What is published: the image's bill of materials against the image itself, and the workflows by actionlint. */
import assert from "node:assert/strict";
import path from "node:path";
import { execa } from "execa";
import { buildImage, fileInImage, NODE_VERSION } from "../../hack/image";
import { imageBom, npmBom } from "../../hack/supply-chain";
import { actionlint } from "../../hack/toolchain";

const ROOT = path.join(import.meta.dirname, "../..");

describe("the supply chain", () => {
  it("has a bill of materials with what the image runs: Node, Open vSwitch's programs, and Pepr", async () => {
    const { archive } = await buildImage();
    const bom = imageBom(await npmBom(ROOT), await fileInImage(archive, "var/lib/dpkg/status"), NODE_VERSION);
    const names = new Set(bom.components.map(({ purl }) => purl.replace(/@[^@]*$/, "")));
    for (const name of ["generic/node", "deb/debian/openvswitch-common", "deb/debian/libc6", "npm/pepr"])
      assert.ok(names.has(`pkg:${name}`), name);
  });

  it("has workflows that actionlint finds nothing wrong with", async () => {
    const { exitCode, stdout, stderr } = await execa(await actionlint(), ["-no-color"], { cwd: ROOT, reject: false });
    assert.equal(exitCode, 0, stdout + stderr);
  });
});
