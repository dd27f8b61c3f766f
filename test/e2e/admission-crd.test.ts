/** What the CRD refuses by itself, on a real API server without any webhook: the same mistakes in the same words. */
import assert from "node:assert/strict";
import { TRAFFIC_CONTROL } from "@ovs-traffic-control/api";
import { format, mistakes } from "../../capabilities/admission";
import type { ApiResult } from "../../capabilities/engine";
import { comparable, linesOf } from "../support/e2e/api-lines";
import { ApiServer } from "../support/e2e/api-server";
import { INVALID, manifest, VALID, WRONG_TYPES, type Case } from "../unit/admission/cases";

describe("the CRD alone", () => {
  let server: ApiServer;
  let count = 0;
  const create = (given: Case): Promise<ApiResult<unknown>> =>
    server.client.create({ resource: TRAFFIC_CONTROL }, manifest(given, `case-${count++}`));

  before(async function () {
    this.timeout(120_000);
    server = await ApiServer.withTrafficControls();
  });
  after(() => server.stop());

  for (const given of VALID)
    it(`accepts ${given.title}`, async () => {
      const answer = await create(given);
      assert.deepEqual(answer.ok ? [] : linesOf(answer.message), []);
    });

  for (const given of INVALID)
    it(`refuses ${given.title}, in the words of the rules`, async () => {
      const answer = await create(given);
      assert.ok(!answer.ok, "it was accepted");
      const rules = mistakes(manifest(given)).map((mistake) => comparable(format({ ...mistake, hint: undefined })));
      const here = linesOf(answer.message).map(comparable);
      assert.deepEqual(
        here.filter((line) => !rules.includes(line)),
        [],
        `the rules say:\n${rules.join("\n")}`,
      );
      assert.notEqual(here.length, 0);
    });

  for (const given of WRONG_TYPES)
    it(`refuses ${given.title}, where the rules do`, async () => {
      const answer = await create(given);
      assert.ok(!answer.ok, "it was accepted");
      const rules = mistakes(manifest(given)).map(({ path: at }) => at.replace(/\[([^\]]*)\]/g, ".$1"));
      const here = linesOf(answer.message).map((line) => line.split(": ")[0]!.replace(/\[([^\]]*)\]/g, ".$1"));
      assert.ok(
        rules.some((at) => here.includes(at)),
        `${here.join(", ")} is not ${rules.join(", ")}`,
      );
    });

  it("gives a new object the status observedGeneration: -1", async () => {
    const answer = await create(VALID[0]!);
    assert.deepEqual(answer.ok && (answer.value as { status?: unknown }).status, { observedGeneration: -1 });
  });
});
