import assert from "node:assert/strict";
import { EngineMetrics, WorkQueue } from "../../../capabilities/engine";
import { settle, VirtualClock } from "./virtual-clock";

function newQueue(): { queue: WorkQueue; clock: VirtualClock; metrics: EngineMetrics } {
  const clock = new VirtualClock();
  const metrics = new EngineMetrics();
  const retry = { baseMilliseconds: 100, maximumMilliseconds: 1_000, jitter: 0 };
  return { queue: new WorkQueue({ name: "test", clock, metrics, retry }), clock, metrics };
}

describe("WorkQueue", () => {
  it("hands out keys in the order in which they were added, each once", async () => {
    const { queue } = newQueue();
    for (const key of ["a", "b", "a", "c", "b"]) queue.add(key);
    assert.equal(queue.length, 3);
    assert.deepEqual([await queue.take(), await queue.take(), await queue.take()], ["a", "b", "c"]);
  });

  it("hands out urgent keys first and those that nobody waits for last", async () => {
    const { queue } = newQueue();
    queue.add("restart", "background");
    queue.add("pod");
    queue.add("deletion", "urgent");
    queue.add("another", "urgent");
    const taken = [await queue.take(), await queue.take(), await queue.take(), await queue.take()];
    assert.deepEqual(taken, ["deletion", "another", "pod", "restart"]);
  });

  it("moves a key forward that has become urgent, never back, and hands it out once", async () => {
    const { queue } = newQueue();
    queue.add("a", "background");
    queue.add("b");
    queue.add("a", "urgent");
    queue.add("a", "background");
    assert.equal(queue.length, 2);
    assert.deepEqual([await queue.take(), await queue.take()], ["a", "b"]);
  });

  it("remembers that a key has become urgent while it was being processed", async () => {
    const { queue } = newQueue();
    queue.add("a");
    await queue.take();
    queue.add("a", "urgent");
    queue.add("b", "urgent");
    queue.add("c");
    queue.done("a");
    assert.deepEqual([await queue.take(), await queue.take(), await queue.take()], ["b", "a", "c"]);
  });

  it("tries no more than ten failed keys a second again, after the first hundred", async () => {
    const { queue, clock } = newQueue();
    for (let i = 0; i < 200; i++) queue.addRateLimited(`key-${i}`);
    await clock.advance(1_000);
    assert.ok(queue.length >= 100 && queue.length <= 110, `${queue.length} after a second`);
    await clock.advance(5_000);
    assert.ok(queue.length >= 150 && queue.length <= 160, `${queue.length} after six seconds`);
  });

  it("does not hand out a key that is being processed, but does once more if it was added meanwhile", async () => {
    const { queue } = newQueue();
    queue.add("a");
    assert.equal(await queue.take(), "a");
    queue.add("a");
    queue.add("a");
    assert.equal(queue.length, 0, "the same key is never in two hands");
    queue.done("a");
    assert.equal(await queue.take(), "a");
    queue.done("a");
    assert.equal(queue.length, 0, "and comes back once only");
  });

  it("gives a key that is added to whoever has been waiting longest", async () => {
    const { queue } = newQueue();
    const first = queue.take();
    const second = queue.take();
    queue.add("a");
    queue.add("b");
    assert.deepEqual(await Promise.all([first, second]), ["a", "b"]);
  });

  it("delays, and of several delays keeps the shortest", async () => {
    const { queue, clock } = newQueue();
    queue.addAfter("a", 500);
    queue.addAfter("a", 100);
    queue.addAfter("a", 300);
    await clock.advance(99);
    assert.equal(queue.length, 0);
    await clock.advance(1);
    assert.equal(queue.length, 1);
    await queue.take();
    queue.done("a");
    await clock.advance(1_000);
    assert.equal(queue.length, 0, "the longer delays have gone with the shortest");
  });

  it("doubles the delay of a key that fails again and again, up to a maximum, until it is forgotten", async () => {
    const { queue, clock } = newQueue();
    const delays: number[] = [];
    for (let i = 0; i < 6; i++) {
      const started = clock.monotonic();
      queue.addRateLimited("a");
      const taken = queue.take();
      while (queue.failuresOf("a") > 0 && !(await isSettled(taken))) await clock.advance(10);
      delays.push(clock.monotonic() - started);
      queue.done("a");
    }
    assert.deepEqual(delays, [100, 200, 400, 800, 1_000, 1_000]);
    queue.forget("a");
    assert.equal(queue.failuresOf("a"), 0);
  });

  it("wakes everybody who waits when it is stopped, and takes nothing any more", async () => {
    const { queue, clock } = newQueue();
    const waiting = queue.take();
    queue.addAfter("late", 10);
    queue.stop();
    assert.equal(await waiting, undefined);
    queue.add("a");
    await clock.advance(20);
    assert.equal(await queue.take(), undefined);
  });

  it("counts under controller-runtime's names", async () => {
    const { queue, clock, metrics } = newQueue();
    queue.add("a");
    queue.add("b");
    await queue.take();
    await clock.advance(2_000);
    queue.sampleMetrics();
    const text = await metrics.registry.metrics();
    assert.match(text, /^workqueue_adds_total\{name="test"\} 2$/m);
    assert.match(text, /^workqueue_depth\{name="test"\} 1$/m);
    assert.match(text, /^workqueue_longest_running_processor_seconds\{name="test"\} 2$/m);
  });
});

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  void promise.then(() => (settled = true));
  await settle();
  return settled;
}
