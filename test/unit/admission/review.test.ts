import assert from "node:assert/strict";
import { ANNOTATIONS, FINALIZER } from "@ovs-traffic-control/api";
import { Surroundings } from "../../../capabilities/admission/rules";
import { denial, judge, signature } from "../../../capabilities/admission/review";
import { manifest, type Case } from "./cases";

const good = (metadata: object = {}): Record<string, unknown> => with_({}, metadata);
const bad = (metadata: object = {}): Record<string, unknown> => with_({ direction: "both" }, metadata);
function with_(change: Case["change"], metadata: object): Record<string, unknown> {
  return { ...manifest({ title: "", change }), metadata: { name: "x", ...metadata } };
}

describe("a review", () => {
  it("refuses a new object with a mistake", () => {
    assert.equal(judge({ operation: "CREATE", object: bad() }).allowed, false);
  });

  it("refuses an update that brings a mistake", () => {
    assert.equal(judge({ operation: "UPDATE", object: bad(), oldObject: good() }).allowed, false);
  });

  it("lets an update pass that leaves a wrong spec alone", () => {
    const labelled = bad({ labels: { a: "b" } });
    assert.deepEqual(judge({ operation: "UPDATE", object: labelled, oldObject: bad() }), {
      allowed: true,
      warnings: [],
    });
  });

  it("lets everything pass about an object that is being deleted", () => {
    const object = bad({ deletionTimestamp: "2026-01-01T00:00:00Z" });
    assert.equal(judge({ operation: "UPDATE", object, oldObject: good() }).allowed, true);
  });

  it("refuses what contradicts others or the cluster's own network, and warns of what may", () => {
    const surroundings = new Surroundings();
    const annotations = { "ovn.kubernetes.io/chassis": "x" };
    surroundings.overlay.put("node-1", { addresses: ["10.0.0.1"], annotations });
    surroundings.peers.put("old", with_({ targetPort: { device: { name: "a" } } }, {})["spec"]);
    const verdict = (targetPort: object): string => {
      const found = judge({ operation: "CREATE", object: with_({ targetPort }, {}) }, surroundings);
      return found.allowed ? found.warnings.map(({ code }) => code).join() : denial(found.mistakes);
    };
    assert.match(verdict({ ovsInternal: { name: "a" } }), /is a device in TrafficControl old/);
    assert.equal(verdict({ device: { name: "a" } }), "Twin");
    assert.match(verdict({ geneve: { remoteIP: "10.0.0.1" } }), /is the address of node node-1/);
    assert.equal(verdict({ vxlan: { remoteIP: "10.0.0.1" } }), "OverlayPort");
  });

  it("lets a deletion pass", () => {
    assert.equal(judge({ operation: "DELETE", object: null, oldObject: bad() }).allowed, true);
  });

  it("writes one mistake on the line itself and several on lines of their own", () => {
    const found = (change: Case["change"]): string => {
      const verdict = judge({ operation: "CREATE", object: with_(change, {}) });
      return verdict.allowed ? "" : denial(verdict.mistakes);
    };
    assert.match(found({ direction: "both" }), /^spec\.direction: [^\n]*$/);
    assert.match(found({ direction: "both", action: "x" }), /^\nspec\.direction: [^\n]*\nspec\.action: [^\n]*$/);
  });

  it("ends a list of very many mistakes with their number", () => {
    const values = Array.from({ length: 64 }, () => "-");
    const object = with_(
      { appliedTo: { podSelector: { matchExpressions: [{ key: "a", operator: "In", values }] } } },
      {},
    );
    const verdict = judge({ operation: "CREATE", object });
    assert.match(verdict.allowed ? "" : denial(verdict.mistakes), /\n… and 14 more$/);
  });
});

describe("a signature", () => {
  const by = (author: string): object => ({ annotations: { [ANNOTATIONS.lastChangedBy]: author } });

  it("is finalizer and author on a new object", () => {
    const wanted = { finalizers: [FINALIZER], author: "alice" };
    assert.deepEqual(signature({ operation: "CREATE", object: good(), username: "alice" }), wanted);
  });

  it("keeps the finalizers of others and does not double its own", () => {
    const once = signature({ operation: "CREATE", object: good({ finalizers: ["a/b"] }), username: "alice" });
    assert.deepEqual(once?.finalizers, ["a/b", FINALIZER]);
    const twice = signature({ operation: "CREATE", object: good({ finalizers: once.finalizers }), username: "alice" });
    assert.deepEqual(twice, once);
  });

  it("names who changes spec, and puts back a finalizer that kubectl replace has dropped", () => {
    const changed = with_({ direction: "Egress" }, { annotations: { [ANNOTATIONS.lastChangedBy]: "mallory" } });
    assert.deepEqual(signature({ operation: "UPDATE", object: changed, oldObject: good(), username: "alice" }), {
      finalizers: [FINALIZER],
      author: "alice",
    });
  });

  it("is nothing for a label, nor for an object that is being deleted", () => {
    const labelled = good({ labels: { a: "b" } });
    assert.equal(signature({ operation: "UPDATE", object: labelled, oldObject: good(), username: "bob" }), undefined);
    const dying = with_({ direction: "Egress" }, { deletionTimestamp: "2026-01-01T00:00:00Z" });
    assert.equal(signature({ operation: "UPDATE", object: dying, oldObject: good(), username: "bob" }), undefined);
  });

  it("stays that of the last change of spec when somebody edits it, loses it, or writes the first one", () => {
    const of = (object: unknown, oldObject: unknown): ReturnType<typeof signature> =>
      signature({ operation: "UPDATE", object, oldObject, username: "mallory" });
    const [signed, forged] = [good({ ...by("alice"), finalizers: [FINALIZER] }), good(by("mallory"))];
    assert.deepEqual(of(forged, signed), { finalizers: [], author: "alice" });
    assert.deepEqual(of(good(), signed), { finalizers: [], author: "alice" });
    assert.deepEqual(of(forged, good()), { finalizers: [], author: undefined });
    assert.equal(of(good({ ...by("alice"), labels: { a: "b" } }), signed), undefined);
  });

  it("takes finalizers of any type", () => {
    const object = good({ finalizers: [5, null, "a/b"] });
    assert.deepEqual(signature({ operation: "CREATE", object })?.finalizers, ["a/b", FINALIZER]);
    assert.deepEqual(signature({ operation: "CREATE", object: good({ finalizers: "x" }) })?.finalizers, [FINALIZER]);
  });
});
