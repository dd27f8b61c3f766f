/** The bill of materials, against what is bundled; that of a real image is in test/e2e/supply-chain.test.ts. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { bundledFiles } from "../../../hack/image";
import { imageBom, npmBom, runtimePackages, type Bom } from "../../../hack/supply-chain";

const root = path.join(import.meta.dirname, "../../..");

const DPKG = `Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9+deb12u10

Package: removed
Status: deinstall ok config-files
Architecture: amd64
Version: 1
`;

describe("the bill of materials", function () {
  // npm reads the whole lock file, and esbuild bundles.
  this.timeout(120_000);
  let npm: Bom;

  before(async () => {
    npm = await npmBom(root);
  });

  it("names each package of which there is code in the programs of the image", async () => {
    const places = (await bundledFiles()).filter((file) => file.includes("node_modules/"));
    const folders = new Set(places.map((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)![0]));
    const bundled = [...folders].map((folder) => {
      const file = path.join(root, folder, "package.json");
      const { name, version } = JSON.parse(readFileSync(file, "utf8")) as { name: string; version: string };
      return `${name}@${version}`;
    });
    const named = new Set(npm.components.map((component) => component["bom-ref"]));
    assert.ok(bundled.length > 50, `${bundled.length}`);
    assert.deepEqual(
      bundled.filter((each) => !named.has(each)),
      [],
    );
  });

  it("has what a dependency needs that the project also names for its development, and no other tool of that", () => {
    const lock = {
      packages: {
        "": { dependencies: { pepr: "1" } },
        "packages/own": { version: "1", dependencies: { deep: "1" } },
        "node_modules/own": { link: true, resolved: "packages/own" },
        "node_modules/pepr": { version: "1.0.0", dependencies: { eslint: "9", deep: "2" } },
        "node_modules/pepr/node_modules/deep": { version: "2.0.0" },
        "node_modules/deep": { version: "1.0.0" },
        "node_modules/eslint": { version: "9.0.0" },
        "node_modules/mocha": { version: "11.0.0" },
      },
    };
    assert.deepEqual(runtimePackages(lock).sort(), ["deep@1.0.0", "deep@2.0.0", "eslint@9.0.0", "pepr@1.0.0"]);
  });

  it("adds Node and the Debian packages that are installed, and is the same for the same contents", () => {
    const bom = imageBom(npm, DPKG, "24.0.0");
    const added = bom.components.slice(npm.components.length).map(({ purl }) => purl);
    assert.deepEqual(added, [
      "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=bookworm",
      "pkg:generic/node@24.0.0",
    ]);
    assert.deepEqual(imageBom({ ...npm, metadata: { ...npm.metadata, timestamp: "later" } }, DPKG, "24.0.0"), bom);
    assert.match(bom.serialNumber ?? "", /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});
