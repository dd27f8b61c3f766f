import assert from "node:assert/strict";
import { once } from "node:events";
import fc from "fast-check";
import { Ovsdb, createPort, fromWire, map, set, uuid } from "../../../packages/ovs-ofctl-wrapper/src/index";
import { ObjectSplitter } from "../../../packages/ovs-ofctl-wrapper/src/jsonrpc";
import { refusal, value } from "../../support/lab-result";
import { FakeOvsdb } from "./fake-ovsdb";

const row = (name: string, more = {}) => ({ name, tag: ["set", []], external_ids: ["map", []], ...more });

describe("OVSDB client on a failing server (a fake)", () => {
  let fake: FakeOvsdb;
  let db: Ovsdb;
  beforeEach(async () => {
    fake = new FakeOvsdb();
    await fake.listen();
    db = await Ovsdb.connect({ runDir: fake.runDir, timeoutSeconds: 0.2 });
  });
  afterEach(async () => {
    db.close();
    await fake.remove();
  });

  it("says what it tried when nobody listens", async () => {
    await assert.rejects(Ovsdb.connect({ runDir: "/nonexistent" }), /ovsdb-server at \/nonexistent\/db\.sock.*ENOENT/);
  });

  it("misses no update that comes in one packet with the initial rows", async () => {
    fake.answers["monitor"] = ({ params }) => ({
      reply: { Port: { u1: { new: row("a") } } },
      behind: [{ id: null, method: "update", params: [params[1], { Port: { u2: { new: row("b") } } }] }],
    });
    const seen: string[] = [];
    const replica = value(
      await db.monitor({ Port: ["name"] }, (changes) => seen.push(...changes.map(({ uuid: id }) => id))),
    );
    assert.deepEqual([...replica.rows("Port").keys()], ["u1", "u2"]);
    assert.deepEqual(seen, ["u2"]);
  });

  it("fails open calls when the connection is lost, and later ones at once", async () => {
    const open = db.transact([{ op: "comment", comment: "unanswered" }]);
    const closed = once(db, "close");
    await fake.stop();
    assert.match(refusal(await open), /the connection to ovsdb-server was lost/);
    await closed;
    assert.equal(db.connected, false);
    assert.match(refusal(await db.transact([])), /not connected/);
  });

  it("gives up on a silent server after its time-out", async () => {
    const answer = await db.transact([{ op: "comment", comment: "unanswered" }]);
    assert.match(refusal(answer), /no answer from ovsdb-server within 0.2 s/);
    assert.ok(!answer.ok && answer.error.timedOut);
  });

  it("reconnects, tells what has changed meanwhile, and asks for its locks again", async () => {
    fake.answers["monitor"] = () => ({ Port: { u1: { new: row("a") }, u2: { new: row("b") } } });
    const seen: string[] = [];
    const replica = value(
      await db.monitor({ Port: ["name", "tag"] }, (changes) => {
        for (const { uuid: id, before, after } of changes)
          seen.push(`${id} ${before?.name ?? "-"} → ${after?.name ?? "-"}`);
      }),
    );
    const lock = value(await db.lock("ours"));
    const lost = once(lock, "lost");
    await fake.stop();
    await lost;
    assert.equal(lock.held, false);
    await once(db, "retry");
    fake.answers["monitor"] = () => ({ Port: { u2: { new: row("c") }, u3: { new: row("d", { tag: 7 }) } } });
    const back = once(db, "reconnect");
    await fake.listen();
    await back;
    assert.deepEqual(seen.sort(), ["u1 a → -", "u2 b → c", "u3 - → d"]);
    assert.equal(replica.rows("Port").get("u3")?.tag, 7);
    assert.equal(lock.held, true);
  });

  it("follows differences of rows that meet a condition, and brings them up to date after a reconnection", async () => {
    fake.answers["monitor_cond"] = () => ({ Port: { u1: { initial: { name: "a", trunks: ["set", [1, 2]] } } } });
    const seen: string[] = [];
    const replica = value(
      await db.monitor(
        { Port: ["name", "tag", "trunks", "external_ids"] },
        (changes) => {
          for (const { uuid: id, before, after } of changes)
            seen.push(`${id} ${before?.name ?? "-"} → ${after?.name ?? "-"}`);
        },
        { Port: [["tag", "==", 7]] },
      ),
    );
    const ports = replica.rows("Port");
    const { params } = fake.requests.find(({ method }) => method === "monitor_cond")!;
    assert.deepEqual(params[2], {
      Port: [{ columns: ["name", "tag", "trunks", "external_ids"], where: [["tag", "==", 7]] }],
    });
    // What nobody has set is not told.
    assert.deepEqual(ports.get("u1"), {
      ...{ uuid: "u1", name: "a", tag: undefined },
      ...{ trunks: [1, 2], external_ids: new Map() },
    });
    const update = (rows: unknown): void => {
      fake.send({ id: null, method: "update2", params: [params[1], { Port: rows }] });
    };
    const entries = (map: Record<string, string>): unknown => ["map", Object.entries(map)];
    update({ u1: { modify: { tag: 7, trunks: ["set", [2, 3]], external_ids: entries({ x: "1", y: "2" }) } } });
    update({ u1: { modify: { external_ids: entries({ x: "1", y: "3" }) } }, u2: { insert: { name: "b" } } });
    update({ u2: { delete: null } });
    for (let i = 0; i < 100 && seen.length < 4; i++) await new Promise((resolve) => setTimeout(resolve, 2));
    assert.deepEqual(seen, ["u1 a → a", "u1 a → a", "u2 - → b", "u2 b → -"]);
    assert.deepEqual(ports.get("u1"), {
      ...{ uuid: "u1", name: "a", tag: 7 },
      ...{ trunks: [1, 3], external_ids: new Map([["y", "3"]]) },
    });
    fake.answers["monitor_cond"] = () => ({ Port: { u3: { initial: { name: "c" } } } });
    await fake.stop();
    const back = once(db, "reconnect");
    await fake.listen();
    await back;
    assert.deepEqual(seen.slice(4).sort(), ["u1 a → -", "u3 - → c"]);
  });

  it("does not come back after close", async () => {
    db.close();
    const before = fake.requests.length;
    await fake.stop();
    await fake.listen();
    await new Promise((resolve) => setTimeout(resolve, 120));
    assert.equal(fake.requests.length, before);
    assert.match(refusal(await db.transact([])), /not connected/);
  });

  it("answers echo requests, or the server would drop it", async () => {
    fake.send({ id: "echo", method: "echo", params: ["x"] });
    for (let i = 0; i < 50 && !fake.requests.some(({ id }) => id === "echo"); i++)
      await new Promise((resolve) => setTimeout(resolve, 2));
    assert.deepEqual(fake.requests.at(-1), { id: "echo", result: ["x"], error: null });
  });

  it("treats a server that does not speak JSON as a lost connection", async () => {
    const closed = once(db, "close");
    fake.sendText("{not json}");
    assert.match(String(((await closed) as unknown[])[0]), /not JSON/);
  });

  it("reports the error of the operation that failed, and that of the commit", async () => {
    fake.answers["transact"] = () => [{}, { error: "constraint violation", details: "no such bridge" }, null];
    const operations = [
      { op: "comment" as const, comment: "" },
      { op: "delete" as const, table: "Port" as const, where: [] },
      { op: "comment" as const, comment: "" },
    ];
    assert.equal(refusal(await db.transact(operations)), "delete Port: constraint violation (no such bridge)");
    fake.answers["transact"] = () => [{}, { count: 0 }, {}, { error: "referential integrity violation" }];
    assert.equal(refusal(await db.transact(operations)), "commit: referential integrity violation");
  });

  it("puts a guard first in the transaction that makes a port", async () => {
    fake.answers["monitor"] = () => ({ Open_vSwitch: { u: { new: { cur_cfg: 1 } } } });
    fake.answers["transact"] = () => [{ error: "not owner", details: "Asserted lock ours not held." }];
    const lock = value(await db.lock("ours"));
    const port = { bridge: "br", name: "x", type: "internal", externalIds: {} };
    assert.match(refusal(await createPort(db, port, [lock.assert()])), /^assert lock ours: not owner/);
    const { params } = fake.requests.find(({ method }) => method === "transact")!;
    assert.deepEqual(params[1], { op: "assert", lock: "ours" });
  });
});

describe("OVSDB values", () => {
  it("become JavaScript values according to the column", () => {
    assert.equal(fromWire(["set", []], "optional"), undefined);
    assert.equal(fromWire(5, "optional"), 5);
    assert.equal(fromWire(["set", [5]], "optional"), 5);
    assert.deepEqual(fromWire(5, "set"), [5]);
    assert.deepEqual(fromWire(["uuid", "u"], "set"), ["u"]);
    assert.deepEqual(
      fromWire(
        [
          "set",
          [
            ["uuid", "u"],
            ["uuid", "v"],
          ],
        ],
        "set",
      ),
      ["u", "v"],
    );
    assert.deepEqual(fromWire(["map", [["a", "b"]]], "map"), new Map([["a", "b"]]));
    assert.equal(fromWire(["uuid", "u"], "scalar"), "u");
  });

  it("are written as RFC 7047 says", () => {
    assert.deepEqual(map({ a: "b" }), ["map", [["a", "b"]]]);
    assert.deepEqual(set([uuid("u")]), ["set", [["uuid", "u"]]]);
  });
});

describe("splitting a stream of JSON objects", () => {
  it("finds the same objects however the stream is cut", () => {
    const objects = fc.array(fc.dictionary(fc.string(), fc.jsonValue()), { maxLength: 5 });
    fc.assert(
      fc.property(objects, fc.array(fc.nat({ max: 400 })), (all, cuts) => {
        const text = all.map((each) => JSON.stringify(each)).join("\n");
        const splitter = new ObjectSplitter();
        const places = [0, ...cuts.filter((cut) => cut < text.length).sort((a, b) => a - b), text.length];
        const found = places.flatMap((from, i) => splitter.push(text.slice(from, places[i + 1] ?? from)));
        assert.deepEqual(
          found.map((each) => JSON.parse(each) as unknown),
          all.map((each) => JSON.parse(JSON.stringify(each)) as unknown),
        );
      }),
    );
  });
});
