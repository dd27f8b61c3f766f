/** The webhook's port, asked by somebody who is no API server: everything has an answer, nothing wrong is let through. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { judge } from "../../capabilities/admission/review";
import { AdmissionProcess } from "../support/e2e/admission-process";
import { ApiServer } from "../support/e2e/api-server";
import { hostile, type Hostile } from "../support/e2e/hostile";
import { reviewOf, type AdmissionReview } from "../support/e2e/reviews";
import { WebhookClient, type Answer } from "../support/e2e/webhook-client";
import { manifest } from "../unit/admission/cases";
import { IS_LONG } from "../support/slow";

const REQUESTS = IS_LONG ? 20_000 : 2_000;
const CONNECTIONS = 16;
/** The heap's own ups and downs, with bodies of 2 MB; 20,000 requests that each left 4 KiB behind would exceed it. */
const GROWTH_MIB = 80;

describe("the webhook's port", () => {
  let server: ApiServer;
  let admission: AdmissionProcess;
  let client: WebhookClient;

  before(async function () {
    this.timeout(180_000);
    server = await ApiServer.withTrafficControls();
    admission = await AdmissionProcess.start(server);
    client = new WebhookClient(admission, CONNECTIONS);
  });
  after(async () => {
    client.close();
    await admission.stop();
    await server.stop();
  });

  it(`answers ${REQUESTS} hostile requests with a 4xx or a verdict, and is as it was afterwards`, async function () {
    this.timeout(600_000);
    const seed = Date.now() % 2 ** 31;
    const ask = async (count: number, from: number): Promise<void> => {
      const requests = fc.sample(hostile, { numRuns: count, seed: from });
      const workers = Array.from({ length: CONNECTIONS }, async () => {
        for (let next = requests.pop(); next !== undefined; next = requests.pop()) {
          const wrong = wrongAnswer(next, await client.post(next.path, next.headers, next.body));
          if (wrong !== undefined) assert.fail(`seed ${seed}: ${wrong}, of ${describeRequest(next)}`);
        }
      });
      await Promise.all(workers);
    };
    await ask(REQUESTS / 4, seed);
    const before = await memory();
    for (let part = 1; part < 4; part++) await ask(REQUESTS / 4, seed + part);
    const growth = (await memory()) - before;
    assert.ok(growth < GROWTH_MIB, `it has grown from ${before.toFixed(0)} MiB by ${growth.toFixed(0)} MiB`);
    assert.ok(admission.isRunning, admission.log);
    const complaints = admission.log.split("\n").filter((line) => /"level":[56]0|unhandled/i.test(line));
    assert.deepEqual(complaints, []);
  });

  it("judges and signs a right object as ever", async () => {
    const body = Buffer.from(JSON.stringify(reviewOf(manifest({ title: "", change: {} }))));
    for (const path of ["/validate/v1alpha2", "/mutate/v1alpha2"]) {
      const { status, body: said } = await client.post(path, { "Content-Type": "application/json" }, body);
      assert.equal(status, 200);
      assert.equal((JSON.parse(said) as Reviewed).response.allowed, true);
    }
  });

  /** MiB. */
  async function memory(): Promise<number> {
    return (await admission.metric("process_resident_memory_bytes")) / 2 ** 20;
  }
});

interface Reviewed {
  response: { uid: string; allowed: boolean; status?: { message?: string }; patch?: string };
}

/** What is wrong with an answer; undefined if nothing. */
function wrongAnswer(asked: Hostile, { status, body }: Answer): string | undefined {
  if (status >= 400 && status < 500) return undefined;
  if (status !== 200) return `the answer is ${status}`;
  const { request } = JSON.parse(asked.body.toString("utf8")) as AdmissionReview;
  const { response } = JSON.parse(body) as Reviewed;
  if (response.uid !== request.uid) return "the answer is to another request";
  if (asked.path.startsWith("/mutate")) return wrongPatch(response);
  const verdict = judge(request);
  return verdict.allowed === response.allowed ? undefined : `allowed is ${response.allowed}`;
}

/** The mutating webhook refuses nothing that the validating one sees as well; it must leave the spec alone. */
function wrongPatch({ allowed, patch }: Reviewed["response"]): string | undefined {
  if (!allowed) return "the mutating webhook refuses";
  if (patch === undefined) return undefined;
  const operations = JSON.parse(Buffer.from(patch, "base64").toString("utf8")) as { path: string }[];
  const outside = operations.find(({ path }) => !path.startsWith("/metadata/"));
  return outside && `the patch changes ${outside.path}`;
}

function describeRequest({ path, headers, body }: Hostile): string {
  return `POST ${path} ${JSON.stringify(headers)} ${body.length} bytes: ${body.toString("utf8").slice(0, 2_000)}`;
}
