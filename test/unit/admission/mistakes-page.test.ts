/** docs/guide/mistakes.md: what it says about each manifest is what the rules say, and it leaves none of them out. */
import assert from "node:assert/strict";
import { format, MESSAGES, Surroundings } from "../../../capabilities/admission/rules";
import { denial, judge } from "../../../capabilities/admission/review";
import { mistakeSections, type Manifest } from "../../support/docs/pages";

const sections = mistakeSections();
const ours = sections.filter(({ unknown }) => !unknown);

function surroundingsOf(existing: Manifest[]): Surroundings {
  const surroundings = new Surroundings();
  for (const { kind, metadata, spec, status } of existing)
    if (kind === "Node")
      surroundings.overlay.put(metadata?.name ?? "", {
        addresses: (status?.addresses ?? []).map(({ address }) => address),
        annotations: metadata?.annotations ?? {},
      });
    else surroundings.peers.put(metadata?.name ?? "", spec);
  return surroundings;
}

describe("the guide to mistakes", () => {
  for (const { title, existing, refused, said, right } of ours) {
    it(`says what is said about: ${title}`, () => {
      const verdict = judge({ operation: "CREATE", object: refused }, surroundingsOf(existing));
      assert.equal(verdict.allowed ? "nothing" : denial(verdict.mistakes).trim(), said);
    });

    it(`shows a manifest that is accepted instead: ${title}`, () => {
      const verdict = judge({ operation: "CREATE", object: right }, surroundingsOf(existing));
      assert.deepEqual(verdict.allowed ? [] : verdict.mistakes.map(format), []);
    });
  }

  it("shows every message of the rules", () => {
    const page = ours.map(({ said }) => said).join("\n");
    assert.deepEqual(
      Object.values(MESSAGES).filter((message) => !page.includes(message)),
      [],
    );
  });
});
