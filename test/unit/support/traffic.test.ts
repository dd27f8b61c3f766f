/** How the end-to-end tests compare what was sent with what was copied. */
import assert from "node:assert/strict";
import type { Packet } from "../../support/decode";
import { packetDifference, repliesFrom, requestsTo, segmentsBetween } from "../../support/e2e/traffic";

const packet = (inner: Partial<Packet["inner"]>): Packet => ({
  time: 0,
  length: 100,
  inner: { sourceMAC: "", destinationMAC: "", protocol: "tcp", source: "10.0.0.1", destination: "10.0.0.2", ...inner },
});

describe("packetDifference", () => {
  const one = packet({ sequence: 1, id: 1 });
  const two = packet({ sequence: 2, id: 2 });

  it("finds none between the same packets in another order, with other MAC addresses and inside a tunnel", () => {
    const tunnel = { kind: "gre" as const, source: "a", destination: "b" };
    const routed = { ...one, time: 5, tunnel, inner: { ...one.inner, sourceMAC: "0a:00:00:00:00:01" } };
    assert.deepEqual(packetDifference([one, two], [two, routed]), { missing: [], surplus: [] });
  });

  it("tells a packet that was not copied, and one that was copied twice", () => {
    const { missing, surplus } = packetDifference([one, two], [one, one]);
    assert.equal(missing.length, 1);
    assert.match(missing[0]!, /sequence 2 /);
    assert.equal(surplus.length, 1);
    assert.match(surplus[0]!, /sequence 1 /);
  });

  it("wants as many copies of a packet as it was sent times", () => {
    assert.equal(packetDifference([one, one], [one]).missing.length, 1);
  });

  it("takes a retransmission, which has another identification, for another packet", () => {
    assert.equal(packetDifference([one], [packet({ sequence: 1, id: 3 })]).surplus.length, 1);
  });
});

describe("requestsTo, repliesFrom, segmentsBetween", () => {
  const request = packet({ protocol: "icmp", icmpType: 8 });
  const reply = packet({ protocol: "icmp", icmpType: 0, source: "10.0.0.2", destination: "10.0.0.1" });
  const segment = packet({ flags: "ACK", source: "10.0.0.2", destination: "10.0.0.1" });
  const all = [request, reply, segment, packet({ source: "10.0.0.3" })];

  it("pick the packets of one Pod", () => {
    assert.deepEqual(requestsTo(all, "10.0.0.2"), [request]);
    assert.deepEqual(repliesFrom(all, "10.0.0.2"), [reply]);
    assert.deepEqual(segmentsBetween(all, "10.0.0.1", "10.0.0.2"), [segment]);
  });
});
