/** The loop that runs passes and status writes. */
import assert from "node:assert/strict";
import { Loop } from "../../../packages/node-programmer/src/reconcile";

/** On a busy machine the timer is late and comes before what the loop has put off: that is let go first. */
const turn = (milliseconds = 5): Promise<void> =>
  new Promise((resolve) => setTimeout(() => setImmediate(resolve), milliseconds));

describe("a loop", () => {
  it("makes one run of requests that come together, and one more of those that come during it", async () => {
    let runs = 0;
    let release = (): void => undefined;
    const loop = new Loop(async () => {
      runs++;
      if (runs === 1) await new Promise<void>((resolve) => (release = resolve));
      return "done";
    });
    loop.wake();
    loop.wake();
    await turn();
    assert.equal(runs, 1);
    loop.wake();
    loop.wake();
    await turn();
    assert.equal(runs, 1, "never two at a time");
    release();
    await turn();
    assert.equal(runs, 2);
  });

  it("repeats a run that asks for it, after waits that grow, until it is done", async () => {
    const times: number[] = [];
    let onFourth = (): void => undefined;
    const fourth = new Promise<void>((resolve) => (onFourth = resolve));
    const run = (): Promise<"done" | "again"> => {
      if (times.push(performance.now()) < 4) return Promise.resolve("again");
      onFourth();
      return Promise.resolve("done");
    };
    const loop = new Loop(run, { first: 10, longest: 20 });
    loop.wake();
    await fourth;
    await turn(50);
    assert.equal(times.length, 4);
    assert.ok(times[2]! - times[1]! >= 19, "the second wait is twice the first");
    await loop.stop();
  });

  it("waits no longer when it is woken", async () => {
    let runs = 0;
    const loop = new Loop(() => Promise.resolve(++runs === 1 ? "again" : "done"), { first: 60_000, longest: 60_000 });
    loop.wake();
    await turn();
    loop.wake();
    await turn();
    assert.equal(runs, 2);
    await loop.stop();
  });

  it("begins nothing once stopped, and stop waits for what is running", async () => {
    let finished = false;
    const loop = new Loop(async () => {
      await turn(20);
      finished = true;
      return "again";
    });
    loop.wake();
    await turn();
    await loop.stop();
    assert.equal(finished, true);
    loop.wake();
    await turn();
  });
});
