import assert from "node:assert/strict";
import { openEnvelope } from "../../../capabilities/admission/envelope";
import { reviewOf, type AdmissionReview } from "../../support/e2e/reviews";
import { manifest } from "./cases";

const right = (): AdmissionReview => reviewOf(manifest({ title: "", change: {} }));
const open = (review: unknown): ReturnType<typeof openEnvelope> => openEnvelope(Buffer.from(JSON.stringify(review)));
/** What is said about a right review with other members of request. */
const about = (change: object): string => {
  const opened = open({ ...right(), request: { ...right().request, ...change } });
  return opened.ok ? "" : opened.message;
};
const nested = (levels: number): unknown => JSON.parse(`${"[".repeat(levels)}${"]".repeat(levels)}`);

describe("an AdmissionReview", () => {
  it("is opened when it is one, about a creation, a change or a deletion", () => {
    const object = manifest({ title: "", change: {} });
    const deletion = {
      ...right(),
      request: { ...right().request, operation: "DELETE", object: null, oldObject: object },
    };
    for (const review of [right(), reviewOf(object, object), deletion])
      assert.deepEqual(open(review), { ok: true, review });
  });

  it("is not bytes that are no UTF-8, no JSON, or no object", () => {
    const said = (body: Buffer): string => {
      const opened = openEnvelope(body);
      return opened.ok ? "" : `${opened.code} ${opened.message}`;
    };
    assert.match(said(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])), /^400 The body is not UTF-8: send an /);
    assert.match(said(Buffer.from("")), /^400 The body is not JSON: /);
    assert.match(said(Buffer.from("{")), /not JSON/);
    for (const text of ["[]", "null", "5", '"x"']) assert.match(said(Buffer.from(text)), /not a JSON object/);
  });

  const cases: [what: string, review: unknown, expected: RegExp][] = [
    ["of another version", { ...right(), apiVersion: "admission.k8s.io/v1beta1" }, /apiVersion or kind/],
    ["of another kind", { ...right(), kind: "Review" }, /apiVersion or kind/],
    ["without a request", { ...right(), request: undefined }, /request is missing/],
    ["with a list for a request", { ...right(), request: [] }, /request is missing/],
    ["nested too deep", { ...right(), more: nested(101) }, /more than 100 levels/],
  ];
  for (const [what, review, expected] of cases)
    it(`is not one ${what}`, () => {
      const opened = open(review);
      assert.match(opened.ok ? "" : opened.message, expected);
    });

  it("may be nested as deep as that", () => assert.equal(open({ ...right(), more: nested(100) }).ok, true));

  it("has no key __proto__, however deep", () => {
    const body = JSON.stringify(right()).replace('"dryRun":', '"more":{"a":[{"__proto__":{"b":1}}]},"dryRun":');
    const opened = openEnvelope(Buffer.from(body));
    assert.match(opened.ok ? "" : opened.message, /A key of the body is __proto__/);
  });

  const object = manifest({ title: "", change: {} });
  const withMetadata = (metadata: unknown): object => ({ object: { ...object, metadata } });
  const parts: [change: object, expected: RegExp][] = [
    [{ uid: undefined }, /request\.uid/],
    [{ uid: "" }, /request\.uid/],
    [{ uid: 5 }, /request\.uid/],
    [{ uid: "x".repeat(129) }, /request\.uid/],
    [{ operation: "CONNECT" }, /request\.operation is none of CREATE, UPDATE, DELETE/],
    [{ operation: ["CREATE"] }, /request\.operation/],
    [{ kind: undefined }, /request\.kind/],
    [{ kind: { group: "", version: "v1", kind: "Pod" } }, /request\.kind/],
    [{ kind: { group: "crd.antrea.io", version: "v1alpha1", kind: "TrafficControl" } }, /request\.kind/],
    [{ kind: { group: "crd.antrea.io", version: "v1alpha2", kind: "Tier" } }, /request\.kind/],
    [{ name: 5 }, /request\.name/],
    [{ namespace: "kube-system" }, /there is a namespace/],
    [{ userInfo: "alice" }, /request\.userInfo/],
    [{ userInfo: { username: {} } }, /request\.userInfo/],
    [{ object: null }, /request\.object is missing/],
    [{ object: "x" }, /request\.object is not an object/],
    [{ operation: "UPDATE" }, /request\.oldObject is missing/],
    [{ operation: "DELETE" }, /request\.oldObject is missing/],
    [{ oldObject: 5 }, /request\.oldObject is not an object/],
    [withMetadata(undefined), /request\.object\.metadata is missing/],
    [withMetadata([]), /request\.object\.metadata is missing/],
    [withMetadata({ name: {} }), /metadata\.name/],
    [withMetadata({ namespace: "pepr-system" }), /request\.object is in a namespace/],
    [withMetadata({ annotations: "x" }), /metadata\.annotations/],
    [withMetadata({ annotations: { a: 5 } }), /metadata\.annotations/],
    [withMetadata({ labels: [] }), /metadata\.labels/],
    [withMetadata({ finalizers: "x" }), /metadata\.finalizers/],
    [withMetadata({ finalizers: [5] }), /metadata\.finalizers/],
  ];
  for (const [change, expected] of parts)
    it(`is not one with ${JSON.stringify(change, (_key, value: unknown) => value ?? "nothing").slice(0, 90)}`, () => {
      assert.match(about(change), expected);
    });

  it("may leave out what the API server leaves out", () => {
    for (const change of [{ name: undefined }, { namespace: "" }, { userInfo: undefined }, withMetadata({})])
      assert.equal(about(change), "");
  });
});
