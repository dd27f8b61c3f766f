/** What the CRD refuses by itself, on a real API server without any webhook: the same mistakes in the same words. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { TRAFFIC_CONTROL } from "@ovs-traffic-control/api";
import { parse } from "yaml";
import { format, mistakes } from "../../capabilities/admission";
import type { ApiFailure, ApiResult } from "../../capabilities/engine";
import { ApiServer } from "../support/e2e/api-server";
import { eventually } from "../support/e2e/eventually";
import { INVALID, manifest, VALID, WRONG_TYPES, type Case } from "../unit/admission/cases";

const CRDS = { group: "apiextensions.k8s.io", version: "v1", plural: "customresourcedefinitions" };
const CRD_FILE = path.join(import.meta.dirname, "../../crds/trafficcontrols.yaml");

describe("the CRD alone", () => {
  let server: ApiServer;
  let count = 0;
  const create = (given: Case): Promise<ApiResult<unknown>> =>
    server.client.create({ resource: TRAFFIC_CONTROL }, manifest(given, `case-${count++}`));

  before(async function () {
    this.timeout(120_000);
    server = await ApiServer.start();
    const crd: unknown = parse(readFileSync(CRD_FILE, "utf8"), { maxAliasCount: -1 });
    const created = await server.client.create({ resource: CRDS }, crd);
    assert.deepEqual(created.ok ? [] : created, []);
    await eventually("the CRD is served", async () => (await server.client.list({ resource: TRAFFIC_CONTROL })).ok);
  });
  after(() => server.stop());

  for (const given of VALID)
    it(`accepts ${given.title}`, async () => {
      const answer = await create(given);
      assert.deepEqual(answer.ok ? [] : lines(answer), []);
    });

  for (const given of INVALID)
    it(`refuses ${given.title}, in the words of the rules`, async () => {
      const answer = await create(given);
      assert.ok(!answer.ok, "it was accepted");
      const rules = mistakes(manifest(given)).map((mistake) => comparable(format({ ...mistake, hint: undefined })));
      const here = lines(answer).map(comparable);
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
      const here = lines(answer).map((line) => line.split(": ")[0]!.replace(/\[([^\]]*)\]/g, ".$1"));
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

/** The lines of the API server's message. */
function lines({ message }: ApiFailure): string[] {
  const text = message
    .replace(/^TrafficControl\.crd\.antrea\.io "[^"]*" is invalid: /, "")
    .replace(/^\[(.*)\]$/s, "$1");
  // With a mistake against the schema comes a line that says that CEL was left out.
  return text.split(/, (?=spec[.:[]|<nil>)/).filter((line) => !line.startsWith("<nil>"));
}

/** Without the value, of which each shows what it has, and with one way to write the key of a map. */
function comparable(line: string): string {
  return line
    .replace(
      /^(\S+): (Invalid|Unsupported|Duplicate) value: ("(?:[^"\\]|\\.)*"|-?[\d.e+]+|true|false)(: |$)/,
      "$1: $2 value: ",
    )
    .replace(/Labels(\.|\[)([^\]:]*)\]?: Too long/, "Labels[$2]: Too long");
}
