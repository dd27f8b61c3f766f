import assert from "node:assert/strict";
import { EngineMetrics, LeaderElection, logger, RESOURCES, type KubernetesApi } from "../../../capabilities/engine";
import { FakeApiServer } from "./fake-api-server";
import { VirtualClock } from "./virtual-clock";

const LEASE = { resource: RESOURCES.leases, namespace: "operator", name: "lease" };

interface Candidate {
  election: LeaderElection;
  events: string[];
}

function setUp(): { server: FakeApiServer; clock: VirtualClock; candidate: (identity: string) => Candidate } {
  const clock = new VirtualClock();
  const server = new FakeApiServer(() => clock.now());
  return { server, clock, candidate: (identity) => candidateWith(server.client(), clock, identity) };
}

function candidateWith(api: KubernetesApi, clock: VirtualClock, identity: string): Candidate {
  const events: string[] = [];
  const { namespace, name } = LEASE;
  const common = { clock, metrics: new EngineMetrics(), log: logger("test") };
  const election = new LeaderElection({ api, namespace, name, identity, ...common });
  election.start({ onStartedLeading: () => events.push("won"), onStoppedLeading: () => events.push("lost") });
  return { election, events };
}

describe("LeaderElection", () => {
  it("gives a free Lease to the first at once, and to no second one", async () => {
    const { clock, candidate } = setUp();
    const first = candidate("a");
    await clock.advance(10);
    const second = candidate("b");
    await clock.advance(60_000);
    assert.deepEqual([first.events, second.events], [["won"], []]);
    assert.deepEqual([first.election.isLeading(), second.election.isLeading()], [true, false]);
  });

  it("never lets two lead when both start in the same moment", async () => {
    const { clock, candidate } = setUp();
    const both = [candidate("a"), candidate("b")];
    await clock.advance(30_000);
    assert.equal(both.filter(({ election }) => election.isLeading()).length, 1);
  });

  it("lets a standby take over at once if the leader stops in an orderly way", async () => {
    const { clock, candidate } = setUp();
    const first = candidate("a");
    await clock.advance(10);
    const second = candidate("b");
    await clock.advance(5_000);
    const stopped = first.election.stop();
    await clock.advance(3_500);
    await stopped;
    assert.deepEqual(second.events, ["won"]);
    assert.deepEqual(first.events, ["won"], "who stops by himself has not lost");
  });

  it("lets a standby take over after 15 s if the leader is dead, whatever its clock said", async () => {
    const { server, clock, candidate } = setUp();
    server.put(LEASE, {
      spec: { holderIdentity: "dead", leaseDurationSeconds: 15, renewTime: "2099-01-01T00:00:00.000000Z" },
    });
    const standby = candidate("b");
    await clock.advance(14_000);
    assert.deepEqual(standby.events, []);
    await clock.advance(5_000);
    assert.deepEqual(standby.events, ["won"]);
  });

  it("loses it after 10 s without an answer, 5 s before anybody else may have it", async () => {
    const { server, clock, candidate } = setUp();
    const leader = candidate("a");
    await clock.advance(10);
    server.fault = () => ({ kind: "refuse", code: 500, reason: "InternalError" });
    await clock.advance(9_000);
    assert.equal(leader.election.isLeading(), true);
    await clock.advance(3_500);
    assert.equal(leader.election.isLeading(), false);
    assert.deepEqual(leader.events, ["won", "lost"]);
  });

  it("has lost it when the time is over, even while a request hangs, and no late answer changes that", async () => {
    const { server, clock } = setUp();
    const api = server.client();
    let isSlow = false;
    const slow: typeof api = Object.assign(Object.create(api) as typeof api, {
      replace: async (...args: Parameters<typeof api.replace>) => {
        if (isSlow) await new Promise<void>((resolve) => void clock.after(9_000, resolve));
        return api.replace(...args);
      },
    });
    const leader = candidateWith(slow, clock, "a");
    await clock.advance(7_000);
    isSlow = true;
    await clock.advance(10_500);
    assert.deepEqual(leader.events, ["won", "lost"]);
    await clock.advance(10_000);
    assert.equal(leader.election.isLeading(), false, "although the Lease was renewed in the end");
  });

  it("renews it with one request, and reads it again only if somebody else has written it", async () => {
    const { server, clock } = setUp();
    const api = server.client();
    let reads = 0;
    const counting: typeof api = Object.assign(Object.create(api) as typeof api, {
      get: (...args: Parameters<typeof api.get>) => {
        reads += 1;
        return api.get(...args);
      },
    });
    const leader = candidateWith(counting, clock, "a");
    await clock.advance(9_000);
    assert.equal(reads, 1);
    assert.ok(server.writes.length >= 4, `${server.writes.length} renewals`);
    server.put(LEASE, { metadata: { labels: { touched: "by-somebody" } } });
    await clock.advance(9_000);
    assert.equal(reads, 2);
    assert.deepEqual(leader.events, ["won"]);
  });

  it("is fenced the moment it reads that another one has the Lease", async () => {
    const { server, clock, candidate } = setUp();
    const leader = candidate("a");
    await clock.advance(10);
    server.put(LEASE, { spec: { holderIdentity: "b", leaseDurationSeconds: 15 } });
    await clock.advance(2_500);
    assert.deepEqual(leader.events, ["won", "lost"]);
    assert.equal(leader.election.isLeading(), false);
  });
});
