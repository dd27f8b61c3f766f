/** The examples in the package's README do what it says they do. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Lab } from "../../support/lab";
import type { LabNode } from "../../support/lab";
import { run } from "../../support/lab/command";

const root = path.join(import.meta.dirname, "../../..");
const readme = readFileSync(path.join(root, "packages/ovs-ofctl-wrapper/README.md"), "utf8");
/** Heading → the example below it. */
const examples = new Map(
  [...readme.matchAll(/^## (.*)\n[^#]*?^```ts\n([\s\S]*?)^```$/gm)].map(([, heading, code]) => [heading!, code!]),
);

describe("the README of ovs-ofctl-wrapper", () => {
  let lab: Lab;
  let node: LabNode;
  const directory = mkdtempSync(path.join(tmpdir(), "readme-"));
  before(async () => {
    symlinkSync(path.join(root, "node_modules"), path.join(directory, "node_modules"));
    lab = await Lab.up({ nodes: { n1: [] } });
    node = lab.node("n1");
  });
  after(async () => {
    await lab.down();
    rmSync(directory, { recursive: true, force: true });
  });

  /** What the example prints. It ends by itself. */
  function example(heading: string): Promise<string> {
    const file = path.join(directory, `${heading.replaceAll(" ", "-")}.mts`);
    writeFileSync(file, examples.get(heading)!);
    const args = ["--import", path.join(root, "node_modules/tsx/dist/loader.mjs"), file];
    return run(process.execPath, args, { env: node.environment() });
  }

  it("has an example in each section that describes calls", () => {
    assert.deepEqual([...examples.keys()], ["Flows", "Watching a bridge", "The database", "The daemons"]);
  });

  it("programs flows", async () => {
    assert.match(await example("Flows"), /ok: true, value: \{ packets: 0, bytes: 0, flows: 2 \}/);
    assert.doesNotMatch(await node.ofctl("dump-flows", "br-int"), /0x5443/);
  });

  it("watches a bridge", async () => {
    const events = await example("Watching a bridge");
    assert.match(events, /kind: 'up'[\s\S]*kind: 'flow', event: 'ADDED', table: 30, cookie: 7n/);
  });

  it("makes a port and follows it in the database", async () => {
    const printed = await example("The database");
    assert.match(printed, /name: 'example0', ofport: \d+, error: ''/);
    assert.match(printed, /\[ 'example0 is there', 'example0 has gone' \]/);
  });

  it("asks a daemon", async () => {
    assert.match(await example("The daemons"), /port +VLAN +MAC +Age/);
  });
});
