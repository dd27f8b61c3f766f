import assert from "node:assert/strict";
import {
  EngineMetrics,
  logger,
  runWorkers,
  systemClock,
  Turns,
  WorkQueue,
  type ReconcileResult,
} from "../../../capabilities/engine";
import { VirtualClock } from "./virtual-clock";

function setUp(reconcile: (key: string) => Promise<ReconcileResult>): {
  queue: WorkQueue;
  clock: VirtualClock;
  metrics: EngineMetrics;
  finished: Promise<void>;
} {
  const clock = new VirtualClock();
  const metrics = new EngineMetrics();
  const queue = new WorkQueue({ name: "test", clock, metrics });
  const common = { controller: "test", queue, clock, metrics, log: logger("test"), turns: new Turns(clock) };
  return { queue, clock, metrics, finished: runWorkers({ ...common, reconcile, concurrency: 2 }) };
}

describe("runWorkers", () => {
  it("tries a key again after a failure, until it succeeds", async () => {
    const attempts: number[] = [];
    const { queue, clock, metrics } = setUp(() => {
      attempts.push(clock.monotonic());
      return attempts.length < 4 ? Promise.reject(new Error("not yet")) : Promise.resolve({});
    });
    queue.add("a");
    await clock.advance(10_000);
    assert.equal(attempts.length, 4);
    const text = await metrics.registry.metrics();
    assert.match(text, /^controller_runtime_reconcile_errors_total\{controller="test"\} 3$/m);
    assert.match(text, /^controller_runtime_reconcile_total\{controller="test",result="success"\} 1$/m);
    queue.stop();
  });

  it("comes back when reconcile asks for it", async () => {
    const times: number[] = [];
    const { queue, clock } = setUp(() => {
      times.push(clock.monotonic());
      return Promise.resolve(times.length < 3 ? { requeueAfterMilliseconds: 500 } : {});
    });
    queue.add("a");
    await clock.advance(10_000);
    assert.deepEqual(times, [0, 500, 1_000]);
    queue.stop();
  });

  it("ends after the work in hand when the queue is stopped", async () => {
    let release: () => void = () => undefined;
    const { queue, clock, finished } = setUp(async () => {
      await new Promise<void>((resolve) => (release = resolve));
      return {};
    });
    queue.add("a");
    await clock.advance(1);
    let isFinished = false;
    void finished.then(() => (isFinished = true));
    queue.stop();
    await clock.advance(1);
    assert.equal(isFinished, false);
    release();
    await finished;
  });

  it("has every series from the start, so that rate() sees the first error", async () => {
    const { queue, metrics } = setUp(() => Promise.resolve({}));
    const text = await metrics.registry.metrics();
    for (const result of ["success", "error", "requeue", "requeue_after"]) {
      assert.match(
        text,
        new RegExp(`^controller_runtime_reconcile_total\\{controller="test",result="${result}"\\} 0$`, "m"),
      );
    }
    queue.stop();
  });
});

describe("Turns", () => {
  it("let others have theirs, however much work there is that waits for nothing", async () => {
    const clock = new VirtualClock();
    const metrics = new EngineMetrics();
    const queue = new WorkQueue({ name: "test", clock, metrics });
    const reconcile = (): Promise<ReconcileResult> => {
      const until = performance.now() + 1;
      while (performance.now() < until);
      return Promise.resolve({});
    };
    let turns = 0;
    const watch = (): void => {
      turns += 1;
      if (queue.length > 0) setImmediate(watch);
    };
    for (let i = 0; i < 200; i++) queue.add(String(i));
    watch();
    const common = { controller: "test", queue, clock, metrics, log: logger("test") };
    const finished = runWorkers({ ...common, reconcile, concurrency: 4, turns: new Turns(systemClock) });
    while (queue.length > 0) await new Promise((resolve) => setImmediate(resolve));
    queue.stop();
    await finished;
    assert.ok(turns > 10, `${turns} turns`);
  });

  it("give others their turn however many of them have waited for it", async () => {
    const clock = systemClock;
    const metrics = new EngineMetrics();
    const queue = new WorkQueue({ name: "test", clock, metrics });
    let [now, most] = [0, 0];
    const reconcile = (): Promise<ReconcileResult> => {
      const until = performance.now() + 6;
      while (performance.now() < until);
      most = Math.max(most, (now += 1));
      return Promise.resolve({});
    };
    let isOver = false;
    const watch = (): void => {
      now = 0;
      if (!isOver) setImmediate(watch);
    };
    for (let i = 0; i < 60; i++) queue.add(String(i));
    const common = { controller: "test", queue, clock, metrics, log: logger("test") };
    const finished = runWorkers({ ...common, reconcile, concurrency: 20, turns: new Turns(clock) });
    watch();
    while (queue.length > 0) await new Promise((resolve) => setImmediate(resolve));
    queue.stop();
    await finished;
    isOver = true;
    assert.ok(most <= 3, `${most} in one turn`);
  });
});
