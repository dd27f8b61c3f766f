import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Appctl, OpenFlow } from "../../../packages/ovs-ofctl-wrapper/src/index";
import { run } from "../../../packages/ovs-ofctl-wrapper/src/run";
import { refusal, value } from "../../support/lab-result";

describe("running a tool", () => {
  const directory = mkdtempSync(path.join(tmpdir(), "tool-"));
  const options = { runDir: directory, timeoutSeconds: 1 };
  after(() => rmSync(directory, { recursive: true, force: true }));

  /** A tool that does what the script says. */
  function tool(script: string): string {
    const file = path.join(directory, "tool");
    writeFileSync(file, `#!/bin/sh\n${script}\n`);
    chmodSync(file, 0o755);
    return file;
  }

  it("says so if the tool is not installed", async () => {
    assert.match(refusal(await run(options, "no-such-tool", [])), /could not be started.*ENOENT.*installed\?/);
  });

  it("passes arguments as they are, past any shell, and always a time-out", async () => {
    const echo = tool('printf "%s|" "$@"; printf "%s" "$OVS_RUNDIR"');
    assert.equal(value(await run(options, echo, ["$(id)", "a b", ";"])), `-t|1|$(id)|a b|;|${directory}`);
  });

  it("returns exit code and standard error, and the first line of it as the message", async () => {
    const answer = await run(options, tool("echo first >&2; echo second >&2; exit 3"), []);
    assert.ok(!answer.ok);
    const { exitCode, message, stderr, timedOut } = answer.error;
    assert.deepEqual([exitCode, message, stderr, timedOut], [3, "first", "first\nsecond", false]);
  });

  it("does not fail by itself when the tool does not read its input", async () => {
    assert.match(refusal(await run(options, tool("exit 1"), [], "x".repeat(1_000_000))), /exit code 1/);
  });

  it("takes the tool's own time-out for what it is", async () => {
    const answer = await run(options, tool("kill -ALRM $$"), []);
    assert.ok(!answer.ok && answer.error.timedOut);
    assert.match(answer.error.message, /no answer from Open vSwitch within 1 s/);
  });

  it("starts nothing for an empty bundle", async () => {
    value(await new OpenFlow({ runDir: "/nonexistent" }).bundle("br-int", []));
  });

  it("says where it looked for a daemon that is not there", async () => {
    assert.match(
      refusal(await new Appctl(options).command("ovs-vswitchd", "version")),
      /ovs-vswitchd cannot be reached in .*ENOENT/,
    );
  });
});
