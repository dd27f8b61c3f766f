/** The lock between processes and the cache of built tools behind it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { cached, cachedPath, type CachedTool } from "../../../hack/toolchain/cache";
import { withLock } from "../../../hack/toolchain/lock";

let directory: string;
let oldCache: string | undefined;

/** A cache directory of the test's own, while one of these suites runs. */
function inDirectoryOfOwn(): void {
  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), "ovs-traffic-control-lock-"));
    oldCache = process.env["XDG_CACHE_HOME"];
    process.env["XDG_CACHE_HOME"] = directory;
  });
  afterEach(() => {
    if (oldCache === undefined) delete process.env["XDG_CACHE_HOME"];
    else process.env["XDG_CACHE_HOME"] = oldCache;
    rmSync(directory, { recursive: true });
  });
}

describe("the lock", () => {
  inDirectoryOfOwn();

  it("lets one in at a time, and says whom the other waits for", async () => {
    const file = path.join(directory, "lock");
    const order: string[] = [];
    const waited: string[] = [];
    const work = (name: string) => async (): Promise<void> => {
      order.push(`${name} in`);
      await sleep(500);
      order.push(`${name} out`);
    };
    const first = withLock(file, {}, work("first"));
    while (order.length === 0) await sleep(5);
    await Promise.all([first, withLock(file, { onWait: (holder) => waited.push(holder) }, work("second"))]);
    assert.deepEqual(order, ["first in", "first out", "second in", "second out"]);
    assert.deepEqual(waited, [String(process.pid)]);
  });

  it("is free again when its holder is killed", async function () {
    this.timeout(30_000); // starts a Node process
    const file = path.join(directory, "lock");
    const hold = `import("${path.resolve("hack/toolchain/lock.ts")}").then(({ withLock }) =>
      withLock("${file}", {}, () => { console.log("held"); return new Promise((r) => setTimeout(r, 60000)); }))`;
    const holder = spawn(process.execPath, ["--import", "tsx", "--eval", hold], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await new Promise((resolve) => holder.stdout.once("data", resolve));
    holder.kill("SIGKILL");
    assert.equal(await withLock(file, {}, () => Promise.resolve("mine")), "mine");
  });

  it("is free again when the work fails", async () => {
    const file = path.join(directory, "lock");
    await assert.rejects(
      withLock(file, {}, () => Promise.reject(new Error("no"))),
      /no/,
    );
    assert.equal(await withLock(file, {}, () => Promise.resolve("mine")), "mine");
  });
});

describe("the cache", () => {
  inDirectoryOfOwn();

  const tool = (build: CachedTool["build"]): CachedTool => ({ tool: "tool", version: "1", recipe: "a", build });
  const write =
    (content: string) =>
    (into: string): Promise<void> => {
      writeFileSync(path.join(into, "tool"), content);
      return Promise.resolve();
    };

  it("builds once, also when two ask at the same time", async () => {
    let builds = 0;
    const build = async (into: string): Promise<void> => {
      builds++;
      await sleep(100);
      await write("x")(into);
    };
    const found = await Promise.all([cached(tool(build)), cached(tool(build))]);
    assert.equal(builds, 1);
    assert.equal(found[0], found[1]);
    assert.equal(readFileSync(path.join(found[0], "tool"), "utf8"), "x");
  });

  it("never takes a failed build for done, and leaves nothing of it", async () => {
    const fails = tool(async (into) => {
      await write("half")(into);
      throw new Error("the compiler fell over");
    });
    await assert.rejects(cached(fails), /fell over/);
    assert.equal(existsSync(cachedPath(fails)), false);
    assert.equal(readFileSync(path.join(await cached(tool(write("whole"))), "tool"), "utf8"), "whole");
  });

  it("removes what a killed build has left", async () => {
    const good = tool(write("whole"));
    await cached(good);
    const place = cachedPath(good);
    rmSync(place, { recursive: true });
    writeFileSync(`${place}.partial-1`, "");
    await cached(good);
    assert.deepEqual(
      readdirSync(path.dirname(place)).filter((name) => name.includes(".partial")),
      [],
    );
  });

  it("keeps another recipe in another place", async () => {
    const one = await cached(tool(write("1")));
    const other = await cached({ ...tool(write("2")), recipe: "b" });
    assert.notEqual(one, other);
  });
});
