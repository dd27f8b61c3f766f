/** Random specs, right and nearly right, judged three times: by the rules, by the CRD alone, and by the early webhook in the cluster. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { format, mistakes } from "../../capabilities/admission";
import { denial } from "../../capabilities/admission/review";
import { comparable, linesOf } from "../support/e2e/api-lines";
import { ApiServer } from "../support/e2e/api-server";
import { EARLY, refusal } from "../support/e2e/refusal";
import { nearlyRightSpec, validSpec } from "../unit/admission/arbitrary";
import { BASE } from "../unit/admission/cases";
import { IS_LONG } from "../support/slow";

const SPECS = IS_LONG ? 2_000 : 200;

const objectOf = (spec: unknown): Record<string, unknown> => ({
  ...{ apiVersion: "crd.antrea.io/v1alpha2", kind: "TrafficControl", metadata: { name: "random" }, spec },
});

describe(`${SPECS} random specs`, function () {
  this.timeout(900_000);
  let server: ApiServer;

  before(async () => {
    server = await ApiServer.withTrafficControls();
  });
  after(() => server.stop());

  /** What the CRD alone says; undefined if it accepts. A dry run. */
  const alone = (spec: unknown): Promise<string | undefined> => refusal(objectOf(spec), server.kubeconfig);

  it("that are right are accepted by the CRD alone and by the cluster", async () => {
    const accepted = fc.asyncProperty(validSpec, async (spec) => {
      assert.equal(await alone(spec), undefined);
      assert.equal(await refusal(objectOf(spec)), undefined);
    });
    await fc.assert(accepted, { numRuns: SPECS / 4 });
  });

  it("that may be wrong are judged alike by the rules, the CRD alone and the early webhook", async () => {
    let refused = 0;
    const alike = fc.asyncProperty(nearlyRightSpec, async (spec) => {
      const found = mistakes(objectOf(spec));
      if (found.length > 0) refused++;
      const rules = found.map(format).join("\n");
      const crd = await alone(spec);
      assert.equal(crd === undefined, found.length === 0, `the CRD says ${crd ?? "yes"}, the rules ${rules}`);
      assertSameWords(crd, found);
      assert.equal(await refusal(objectOf(spec)), found.length === 0 ? undefined : EARLY + denial(found));
    });
    await fc.assert(alike, { numRuns: SPECS });
    assert.ok(refused > SPECS / 4 && refused < SPECS, `${refused} of ${SPECS} were refused`);
  });

  it("are not all the same", () => {
    const distinct = new Set(fc.sample(nearlyRightSpec, SPECS).map((spec) => JSON.stringify({ ...BASE, ...spec })));
    assert.ok(distinct.size > SPECS / 2);
  });
});

/** Where no type is wrong, of which the API server speaks in its own words, each of its lines is one of the rules'. */
function assertSameWords(crd: string | undefined, found: ReturnType<typeof mistakes>): void {
  const rules = found.map((mistake) => comparable(format({ ...mistake, hint: undefined })));
  if (crd === undefined || rules.some((line) => /: must be an? .*, not /.test(line))) return;
  const unknown = linesOf(crd)
    .map(comparable)
    .filter((line) => !rules.includes(line));
  assert.deepEqual(unknown, [], `the rules say:\n${rules.join("\n")}`);
}
