import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { format, mistakes } from "../../../capabilities/admission/rules";
import { INVALID, manifest, VALID, WRONG_TYPES, type Case } from "./cases";
import { page } from "./golden";

const lines = (given: Case): string[] => mistakes(manifest(given)).map(format);

describe("the rules of a TrafficControl", () => {
  for (const given of VALID)
    it(`accept ${given.title}`, () => {
      assert.deepEqual(lines(given), []);
    });

  for (const given of [...INVALID, ...WRONG_TYPES])
    it(`refuse ${given.title}`, () => {
      assert.notDeepEqual(lines(given), []);
    });

  it("say what the page of refusals says (UPDATE_GOLDEN=1 writes it)", () => {
    const file = path.join(import.meta.dirname, "refusals.md");
    const wanted = page({ "Refused values": INVALID, "Refused types": WRONG_TYPES });
    if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(file, wanted);
    assert.equal(wanted, readFileSync(file, "utf8"));
  });

  it("name every mistake of an object at once", () => {
    assert.deepEqual(
      mistakes(manifest(INVALID.find(({ title }) => title === "mistakes everywhere")!)).map(({ path }) => path),
      [
        "spec.appliedTo.podSelector.matchLabels[app]",
        "spec.direction",
        "spec.targetPort.erspan.remoteIP",
        "spec.targetPort.erspan.index",
        "spec.returnPort",
        "spec.targetPort.erspan",
      ],
    );
  });

  it("ask whether a mirror with a return port was meant to be a redirect", () => {
    const guide = INVALID.find(({ title }) => title.endsWith("as in the guide"))!;
    assert.match(lines(guide).join("\n"), /^spec\.returnPort: Forbidden: .*did you mean action: Redirect\?/);
  });

  it("name the right case of a word in the wrong case", () => {
    assert.match(lines({ title: "", change: { direction: "BOTH" } })[0]!, /\(did you mean Both\?\)$/);
    assert.match(lines({ title: "", change: { action: "redirect" } })[0]!, /\(did you mean Redirect\?\)$/);
  });

  it("leave fields that they do not know to the API server", () => {
    assert.deepEqual(
      lines({ title: "", change: { returnport: {}, targetPort: { vxlan: { remoteIP: "10.0.10.2", VNI: 5 } } } }),
      [],
    );
  });

  it("name the mistakes of a map in the order of its keys", () => {
    const found = mistakes(
      manifest({ title: "", change: { appliedTo: { podSelector: { matchLabels: { b: 1, a: 1 } } } } }),
    );
    assert.deepEqual(
      found.map(({ path: at }) => at.slice(-3)),
      ["[a]", "[b]"],
    );
  });

  it("take null for a field that is not there, as the API server does", () => {
    assert.deepEqual(lines({ title: "", change: { returnPort: null, appliedTo: { podSelector: null } } }), []);
    assert.deepEqual(lines({ title: "", change: { direction: null } }), [
      "spec.direction: Required value: Ingress, Egress or Both",
    ]);
  });
});
