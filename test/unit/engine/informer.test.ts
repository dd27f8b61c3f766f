import assert from "node:assert/strict";
import { Informer, logger, RESOURCES, type KubernetesApi, type RawObject } from "../../../capabilities/engine";
import { FakeApiServer } from "./fake-api-server";
import { settle, VirtualClock } from "./virtual-clock";

type Raw = RawObject & { metadata: { labels?: Record<string, string> } };

function setUp(): {
  server: FakeApiServer;
  clock: VirtualClock;
  informer: Informer<Raw, { color?: string }>;
  changes: string[];
} {
  const clock = new VirtualClock();
  const server = new FakeApiServer(() => clock.now());
  return { server, clock, ...watching(server.client(), clock) };
}

function watching(
  api: KubernetesApi,
  clock: VirtualClock,
): { informer: Informer<Raw, { color?: string }>; changes: string[] } {
  const changes: string[] = [];
  const informer = new Informer<Raw, { color?: string }>({
    api,
    path: { resource: RESOURCES.nodes },
    project: ({ metadata }) => ({ color: metadata.labels?.["color"] }),
    onChange: (before, after, key) => changes.push(`${key}: ${before?.color ?? "-"} → ${after?.color ?? "-"}`),
    clock,
    log: logger("test"),
  });
  return { informer, changes };
}

const node = (name: string): { resource: typeof RESOURCES.nodes; name: string } => ({
  resource: RESOURCES.nodes,
  name,
});
const labelled = (color: string, extra = {}): { metadata: object } => ({ metadata: { labels: { color }, ...extra } });

describe("Informer", function () {
  this.timeout(30_000);

  it("lists in pages, then follows", async () => {
    const { server, clock, informer, changes } = setUp();
    for (let i = 0; i < 1_203; i++) server.put(node(`n${i}`), labelled("red"));
    informer.start();
    await informer.synced;
    assert.equal(informer.size, 1_203);
    await clock.advance(0);
    server.put(node("n7"), labelled("blue"));
    server.remove(node("n8"));
    await settle();
    assert.deepEqual(changes.slice(1_203), ["n7: red → blue", "n8: red → -"]);
    await informer.stop();
  });

  it("calls nobody if only what it does not keep has changed", async () => {
    const { server, informer, changes } = setUp();
    server.put(node("a"), labelled("red"));
    informer.start();
    await informer.synced;
    await settle();
    server.put(node("a"), { ...labelled("red"), status: { heartbeat: 1 } });
    await settle();
    assert.deepEqual(changes, ["a: - → red"]);
    await informer.stop();
  });

  it("resumes where a watch has broken off, without a list", async () => {
    const { server, informer, changes } = setUp();
    server.put(node("a"), labelled("red"));
    informer.start();
    await informer.synced;
    await settle();
    server.disconnect();
    server.put(node("a"), labelled("blue"));
    await settle();
    assert.deepEqual(changes, ["a: - → red", "a: red → blue"]);
    await informer.stop();
  });

  it("lists anew after 410 and finds what was deleted meanwhile", async () => {
    const { server, informer, changes } = setUp();
    server.put(node("a"), labelled("red"));
    server.put(node("b"), labelled("red"));
    informer.start();
    await informer.synced;
    await settle();
    server.disconnect();
    server.remove(node("a"));
    server.put(node("c"), labelled("green"));
    server.disconnect({ compact: true });
    await settle();
    assert.deepEqual(changes.slice(2).sort(), ["a: red → -", "c: - → green"]);
    await informer.stop();
  });

  it("backs off from an API server that does not answer, and recovers", async () => {
    const { server, clock, informer } = setUp();
    const api = server.client();
    let calls = 0;
    let isDown = true;
    const failing: typeof api = Object.assign(Object.create(api) as typeof api, {
      list: (...args: Parameters<typeof api.list>) => {
        calls += 1;
        return isDown
          ? Promise.resolve({ ok: false, code: 0, reason: "NoAnswer", message: "down" })
          : api.list(...args);
      },
    });
    const broken = new Informer<Raw, object>({
      api: failing,
      path: { resource: RESOURCES.nodes },
      project: () => ({}),
      onChange: () => undefined,
      clock,
      log: logger("test"),
    });
    broken.start();
    await clock.advance(60_000);
    assert.ok(calls > 5 && calls < 20, `${calls} attempts in a minute`);
    isDown = false;
    await clock.advance(20_000);
    assert.equal(broken.hasSynced, true);
    await broken.stop();
    await informer.stop();
  });

  it("shows a write at once, and no older event can undo it", async () => {
    const { server, informer, changes } = setUp();
    server.put(node("a"), labelled("red"));
    informer.start();
    await informer.synced;
    await settle();
    const older = server.put(node("a"), labelled("blue"));
    const newer = server.put(node("a"), labelled("green"));
    informer.admit(newer);
    assert.deepEqual(informer.get("a"), { color: "green" });
    informer.admit(older);
    await settle();
    assert.deepEqual(changes, ["a: - → red", "a: red → green"]);
    await informer.stop();
  });

  it("does not bring back what is gone when the answer to an earlier write comes late", async () => {
    const { server, informer, changes } = setUp();
    informer.start();
    await informer.synced;
    await settle();
    const written = server.put(node("a"), labelled("red"));
    server.remove(node("a"));
    await settle();
    informer.admit(written);
    assert.equal(informer.get("a"), undefined);
    assert.deepEqual(changes, ["a: - → red", "a: red → -"]);
    await informer.stop();
  });

  it("reports an object that was made anew under its name even if it looks the same", async () => {
    const { server, informer, changes } = setUp();
    server.put(node("a"), labelled("red", { uid: "1" }));
    informer.start();
    await informer.synced;
    await settle();
    server.disconnect();
    server.remove(node("a"));
    server.put(node("a"), labelled("red", { uid: "2" }));
    server.disconnect({ compact: true });
    await settle();
    assert.deepEqual(changes, ["a: - → red", "a: red → red"]);
    await informer.stop();
  });

  it("begins again from the first page if the list breaks off half way, and watches only after a whole one", async () => {
    const { server, clock } = setUp();
    for (let i = 0; i < 1_203; i++) server.put(node(`n${i}`), labelled("red"));
    const api = server.client();
    let calls = 0;
    const halting: typeof api = Object.assign(Object.create(api) as typeof api, {
      list: (...args: Parameters<typeof api.list>) => {
        calls += 1;
        if (calls === 2) return Promise.resolve({ ok: false, code: 500, reason: "InternalError", message: "half way" });
        return api.list(...args);
      },
    });
    const { informer } = watching(halting, clock);
    informer.start();
    await clock.advance(0);
    assert.equal(informer.hasSynced, false);
    assert.equal(server.watcherCount, 0, "nothing to resume from yet");
    await clock.advance(1_000);
    assert.deepEqual([informer.hasSynced, informer.size], [true, 1_203]);
    await informer.stop();
  });

  it("backs off if the pages of a list expire again and again", async () => {
    const { server, clock } = setUp();
    const api = server.client();
    let calls = 0;
    const expiring: typeof api = Object.assign(Object.create(api) as typeof api, {
      list: () => {
        calls += 1;
        return Promise.resolve({ ok: false, code: 410, reason: "Expired", message: "continue token expired" });
      },
    });
    const { informer } = watching(expiring, clock);
    informer.start();
    await clock.advance(60_000);
    assert.ok(calls > 5 && calls < 20, `${calls} lists in a minute`);
    await informer.stop();
  });

  it("backs off from a server that ends every watch at once", async () => {
    const { server, clock } = setUp();
    const api = server.client();
    let watches = 0;
    const closing: typeof api = Object.assign(Object.create(api) as typeof api, {
      watch: () => {
        watches += 1;
        return Promise.resolve({ ok: true, value: undefined });
      },
    });
    const { informer } = watching(closing, clock);
    informer.start();
    await clock.advance(60_000);
    assert.ok(watches > 5 && watches < 20, `${watches} watches in a minute`);
    await informer.stop();
  });

  it("ends a watch itself that the server has forgotten, and resumes", async () => {
    const { server, clock, informer, changes } = setUp();
    server.put(node("a"), labelled("red"));
    informer.start();
    await informer.synced;
    await settle();
    server.mute = true;
    server.put(node("a"), labelled("blue"));
    server.mute = false;
    await clock.advance(700_000);
    assert.deepEqual(changes, ["a: - → red", "a: red → blue"]);
    await informer.stop();
  });

  it("finds with the next list what no event has told", async () => {
    const { server, clock, informer, changes } = setUp();
    for (const name of ["a", "b"]) server.put(node(name), labelled("red"));
    informer.start();
    await informer.synced;
    await settle();
    server.disturb = () => [];
    server.put(node("a"), labelled("blue"));
    server.remove(node("b"));
    server.disturb = undefined;
    server.put(node("c"), labelled("green"));
    await clock.advance(1_000);
    assert.deepEqual(changes.slice(2), ["c: - → green"], "the watch has gone past the lost events");
    await clock.advance(3 * 3_600_000);
    assert.deepEqual(changes.slice(3).sort(), ["a: red → blue", "b: red → -"]);
    await informer.stop();
  });

  it("ends with the truth if events come twice, late and in the wrong order", async () => {
    const { server, clock, informer, changes } = setUp();
    informer.start();
    await informer.synced;
    await settle();
    const held: string[] = [];
    server.disturb = (line) => {
      held.push(line, line);
      return [];
    };
    server.put(node("a"), labelled("red"));
    server.put(node("a"), labelled("blue"));
    server.put(node("b"), labelled("red"));
    server.remove(node("b"));
    await settle();
    server.disturb = () => held.splice(0).reverse();
    server.put(node("c"), labelled("green"));
    await clock.advance(100);
    server.disturb = undefined;
    server.disconnect();
    await clock.advance(1_000);
    assert.deepEqual([informer.get("a"), informer.get("b")], [{ color: "blue" }, undefined]);
    assert.ok(!changes.includes("a: blue → red"), changes.join("; "));
    await informer.stop();
  });
});
