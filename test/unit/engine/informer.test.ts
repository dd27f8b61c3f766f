import assert from "node:assert/strict";
import { Informer, logger, RESOURCES, type RawObject } from "../../../capabilities/engine";
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
  const changes: string[] = [];
  const informer = new Informer<Raw, { color?: string }>({
    api: server.client(),
    path: { resource: RESOURCES.nodes },
    project: ({ metadata }) => ({ color: metadata.labels?.["color"] }),
    onChange: (before, after, key) => changes.push(`${key}: ${before?.color ?? "-"} → ${after?.color ?? "-"}`),
    clock,
    log: logger("test"),
  });
  return { server, clock, informer, changes };
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
});
