/** The form that krew asks of a manifest: https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest/ and its naming guide. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";

interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string };
  spec: {
    version: string;
    homepage: string;
    shortDescription: string;
    description: string;
    platforms: {
      selector: { matchExpressions: { key: string; operator: string; values: string[] }[] };
      uri: string;
      sha256: string;
      bin: string;
      files: { from: string; to: string }[];
    }[];
  };
}

const FOLDER = path.join(import.meta.dirname, "../../../packages/kubectl-trafficcontrol");
const template = readFileSync(path.join(FOLDER, "krew.yaml"), "utf8");
const { version } = JSON.parse(readFileSync(path.join(FOLDER, "package.json"), "utf8")) as { version: string };
const released = template
  .replace(/^#.*\n/gm, "")
  .replaceAll("REPOSITORY", "owner/name")
  .replaceAll("VERSION", `v${version}`)
  .replaceAll("SHA256", "a".repeat(64));
const { apiVersion, kind, metadata, spec } = parse(released) as Manifest;

describe("the krew manifest", () => {
  it("is of krew's kind, and its name is what kubectl calls", () => {
    assert.deepEqual([apiVersion, kind], ["krew.googlecontainertools.github.com/v1alpha2", "Plugin"]);
    assert.equal(metadata.name, "trafficcontrol");
  });

  it("has a version with a v, and a description that fits into one line of krew's list", () => {
    assert.match(spec.version, /^v\d+\.\d+\.\d+(-[\w.]+)?$/);
    assert.match(spec.homepage, /^https:\/\//);
    assert.ok(spec.shortDescription.length <= 50 && !spec.shortDescription.endsWith("."), spec.shortDescription);
    assert.ok(!/kubectl/i.test(spec.shortDescription));
    for (const line of spec.description.split("\n")) assert.ok(line.length <= 90, line);
  });

  it("offers platforms that run a script with a shebang, each with one archive, its hash, and the program in it", () => {
    assert.ok(spec.platforms.length > 0);
    for (const { selector, uri, sha256, bin, files } of spec.platforms) {
      const systems = selector.matchExpressions.flatMap(({ key, values }) => (key === "os" ? values : []));
      assert.deepEqual(systems, ["linux", "darwin"]);
      assert.match(uri, new RegExp(`^https://.*/${spec.version}/.*\\.(tar\\.gz|zip)$`));
      assert.match(sha256, /^[0-9a-f]{64}$/);
      assert.equal(bin, "kubectl-trafficcontrol");
      // krew wants the licence in the archive.
      assert.deepEqual(files.map(({ from }) => from).sort(), ["LICENSE", bin]);
    }
  });
});
