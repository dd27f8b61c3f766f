/** The step of the release workflow that makes the plugin's archive and krew's manifest, run as it stands there. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { parse } from "yaml";
import { version } from "../../../packages/kubectl-trafficcontrol/package.json";

const ROOT = path.join(import.meta.dirname, "../../..");
const { jobs } = parse(readFileSync(path.join(ROOT, ".github/workflows/release.yml"), "utf8")) as {
  jobs: { publish: { steps: { name?: string; run?: string }[] } };
};
const { steps } = jobs.publish;

describe("the release of the plugin", () => {
  let directory = "";
  /** Another one: beside a package.json that says so, the program would be an ES module. */
  let unpacked = "";

  before(async () => {
    directory = mkdtempSync(path.join(tmpdir(), "release-"));
    unpacked = mkdtempSync(path.join(tmpdir(), "release-unpacked-"));
    for (const each of ["package.json", "hack", "packages", "LICENSE", "dist-plugin"])
      symlinkSync(path.join(ROOT, each), path.join(directory, each));
    const script = steps.find(({ name }) => name === "Plugin")?.run ?? "";
    const env = { GITHUB_REPOSITORY: "owner/repository", GITHUB_REF_NAME: `v${version}` };
    // As GitHub runs a step that names no shell.
    await execa("bash", ["-e", "-c", script], { cwd: directory, env });
  });
  after(() => {
    for (const each of [directory, unpacked]) rmSync(each, { recursive: true });
  });

  it("is an archive with the licence and a program that says its version", async () => {
    const archive = path.join(directory, "release/kubectl-trafficcontrol.tar.gz");
    await execa("tar", ["-xzf", archive, "-C", unpacked]);
    assert.deepEqual(readdirSync(unpacked).sort(), ["LICENSE", "kubectl-trafficcontrol"]);
    const { stdout } = await execa(path.join(unpacked, "kubectl-trafficcontrol"), ["--version"]);
    assert.equal(stdout, version);
  });

  it("is what krew's manifest names, by address and hash", () => {
    const text = readFileSync(path.join(directory, "release/trafficcontrol.yaml"), "utf8");
    const { spec } = parse(text) as { spec: { version: string; platforms: { uri: string; sha256: string }[] } };
    const archive = readFileSync(path.join(directory, "release/kubectl-trafficcontrol.tar.gz"));
    assert.equal(spec.version, `v${version}`);
    assert.deepEqual(
      spec.platforms.map(({ uri, sha256 }) => [uri, sha256]),
      [
        [
          `https://github.com/owner/repository/releases/download/v${version}/kubectl-trafficcontrol.tar.gz`,
          createHash("sha256").update(archive).digest("hex"),
        ],
      ],
    );
    assert.doesNotMatch(text, /REPOSITORY|VERSION|SHA256/);
  });

  it("comes before the signatures, which are of every file of the release", () => {
    const names = steps.map(({ name }) => name);
    assert.ok(names.indexOf("Plugin") < names.indexOf("Signatures"));
    assert.match(steps.find(({ name }) => name === "Signatures")?.run ?? "", /for file in release\/\*/);
  });
});
