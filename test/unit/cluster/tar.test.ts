/** The archive writer, read back by the tar that is installed. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { tar } from "../../../hack/cluster/tar";

const list = (archive: Buffer): string[] =>
  execFileSync("tar", ["--list", "--verbose", "--numeric-owner", "--file", "-"], {
    input: archive,
    env: { ...process.env, TZ: "UTC", LC_ALL: "C" },
  })
    .toString()
    .trim()
    .split("\n")
    .map((line) => line.replace(/ +/g, " "));

describe("a tar archive", () => {
  it("has files, folders and links with their modes, and no time and owner", () => {
    const archive = tar([
      { name: "tmp/", directory: true, mode: 0o1777 },
      { name: "bin/tool", content: "#!/bin/sh\n", mode: 0o755 },
      { name: "bin/link", link: "tool" },
      { name: "empty" },
    ]);
    assert.deepEqual(list(archive), [
      "drwxrwxrwt 0/0 0 1970-01-01 00:00 tmp/",
      "-rwxr-xr-x 0/0 10 1970-01-01 00:00 bin/tool",
      "lrw-r--r-- 0/0 0 1970-01-01 00:00 bin/link -> tool",
      "-rw-r--r-- 0/0 0 1970-01-01 00:00 empty",
    ]);
  });

  for (const size of [1, 511, 512, 513, 100_000])
    it(`gives back a file of ${size} bytes`, () => {
      const content = Buffer.alloc(size, "abc");
      const archive = tar([{ name: "file", content }]);
      assert.equal(archive.length % 512, 0);
      const read = execFileSync("tar", ["--extract", "--to-stdout", "--file", "-"], { input: archive });
      assert.deepEqual(read, content);
    });

  it("refuses a name that does not fit", () => {
    assert.throws(() => tar([{ name: "x".repeat(100) }]), /too long/);
  });
});
