import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import path from "node:path";

const root = path.join(import.meta.dirname, "../../..");
/** A header with a body: code that writes or parses PEM names the header alone. */
const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{32}/;

describe("the repository", () => {
  it("contains no private key", () => {
    const files = execFileSync("git", ["-c", "safe.directory=*", "ls-files", "-z"], {
      cwd: root,
      encoding: "utf8",
    }).split("\0");
    const readable = files.filter(
      (file) => file !== "" && statSync(path.join(root, file), { throwIfNoEntry: false })?.isFile(),
    );
    assert.ok(readable.length > 50);
    assert.deepEqual(
      readable.filter((file) => PRIVATE_KEY.test(readFileSync(path.join(root, file), "latin1"))),
      [],
    );
  });

  it("would notice one", () => {
    const body = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg";
    assert.match(`key: |\n  -----BEGIN PRIVATE KEY-----\n  ${body}\n`, PRIVATE_KEY);
  });

  it("pins every dependency to an exact version", () => {
    const { dependencies, devDependencies } = JSON.parse(
      readFileSync(path.join(root, "package.json"), "utf8"),
    ) as Record<"dependencies" | "devDependencies", Record<string, string>>;
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies }))
      assert.match(version, /^\d+\.\d+\.\d+$/, name);
    assert.equal(dependencies["pepr"], "1.1.4");
  });
});
