import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import type http from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { probe } from "../../../capabilities/admission/probe";
import { issue, type Issued } from "../../../capabilities/admission/certificates/issue";
import type { OnRefusal } from "../../../capabilities/admission/receive";
import { WebhookServer } from "../../../capabilities/admission/server";
import { reviewOf } from "../../support/e2e/reviews";
import { manifest } from "./cases";

const NAME = "webhook.test.svc";
const NOT_ONE = "apiVersion or kind is another: send an AdmissionReview (admission.k8s.io/v1) of a TrafficControl.";
const HOUR = 3_600_000;
const ignore = (): void => undefined;

describe("the caught server", () => {
  let first: Issued;
  let second: Issued;
  let running: https.Server;
  let caught: WebhookServer;
  let port: number;
  let answer: (response: http.ServerResponse) => void;
  let onRefusal: OnRefusal = ignore;

  before(async () => {
    first = await issue(NAME, Date.now(), HOUR);
    second = await issue(NAME, Date.now(), HOUR);
  });
  beforeEach(async () => {
    answer = (response) => response.end("OK");
    const listeners = process.listeners("SIGTERM").length;
    // What Pepr does.
    caught = WebhookServer.catch(
      () => {
        const options = { key: first.key, cert: first.certificate };
        running = https.createServer(options, (_request, response) => answer(response)).listen(0);
        process.on("SIGTERM", () => process.exit(143));
      },
      (...refusal) => onRefusal(...refusal),
    );
    assert.equal(process.listeners("SIGTERM").length, listeners, "Pepr's SIGTERM handler is still there");
    await once(running, "listening");
    ({ port } = running.address() as AddressInfo);
  });
  afterEach(() => caught.drain(0));

  const get = (agent: https.Agent, ca = first.ca): Promise<{ connection?: string; serial?: string; reused: boolean }> =>
    new Promise((resolve, reject) => {
      const request = https.get({ host: "127.0.0.1", port, servername: NAME, ca, agent }, (response) => {
        const socket = response.socket as unknown as { getPeerX509Certificate: () => X509Certificate | undefined };
        // Node shows the certificate with the first answer of a connection only.
        const serial = socket.getPeerX509Certificate()?.serialNumber;
        response
          .resume()
          .on("end", () => resolve({ connection: response.headers.connection, serial, reused: request.reusedSocket }));
      });
      request.on("error", reject);
    });
  const serial = ({ certificate }: Issued): string => new X509Certificate(certificate).serialNumber;

  it("keeps connections open for longer than the API server does", () => {
    assert.deepEqual([running.keepAliveTimeout, running.headersTimeout], [90_000, 95_000]);
  });

  it("leaves https.createServer as it was", () => {
    assert.notEqual(https.createServer({}).keepAliveTimeout, 90_000);
  });

  it("says so when no server was made", () => {
    assert.throws(() => WebhookServer.catch(() => undefined, ignore), /has not made its HTTPS server/);
  });

  it("changes its certificate without closing a connection", async () => {
    const agent = new https.Agent({ keepAlive: true, maxCachedSessions: 0 });
    assert.equal((await get(agent)).serial, serial(first));
    caught.setCertificate(second);
    assert.equal((await get(agent)).reused, true);
    const fresh = await get(new https.Agent(), second.ca);
    assert.equal(fresh.serial, serial(second));
    agent.destroy();
  });

  it("goes on answering while it drains, and asks to be left", async () => {
    const agent = new https.Agent({ keepAlive: true, maxCachedSessions: 0 });
    await get(agent);
    const drained = caught.drain(200);
    const last = await get(agent);
    assert.deepEqual([last.connection, last.reused], ["close", true]);
    assert.equal((await get(agent)).reused, false);
    await drained;
    await assert.rejects(get(agent), /ECONNREFUSED/);
    agent.destroy();
  });

  it("finishes a request that is being answered when it closes", async () => {
    answer = (response) => setTimeout(() => response.end("OK"), 150);
    const request = get(new https.Agent());
    await once(running, "request");
    await Promise.all([caught.drain(0), request]);
  });

  describe("when something is posted", () => {
    const refusals: string[] = [];
    const post = (body: string, headers: Record<string, string> = {}): Promise<{ status?: number; text: string }> =>
      new Promise((resolve, reject) => {
        const target = { host: "127.0.0.1", port, servername: NAME, ca: first.ca, agent: false as const };
        const options = { ...target, method: "POST", path: "/mutate/x?timeout=5s" };
        const type = { "Content-Type": "application/json", ...headers };
        const request = https.request({ ...options, headers: type }, (response) => {
          let text = "";
          response.on("data", (chunk) => (text += String(chunk)));
          response.on("end", () => resolve({ status: response.statusCode, text }));
        });
        request.on("error", reject).end(body);
      });

    beforeEach(() => {
      refusals.length = 0;
      onRefusal = (webhook, { code }) => refusals.push(`${webhook} ${code}`);
    });

    it("hands on an AdmissionReview that it has read", async () => {
      const review = reviewOf(manifest({ title: "", change: {} }));
      answer = (response) => response.end(JSON.stringify((response.req as { body?: unknown }).body));
      assert.deepEqual(await post(JSON.stringify(review)), { status: 200, text: JSON.stringify(review) });
      assert.deepEqual(refusals, []);
    });

    it("refuses and counts everything else", async () => {
      assert.equal((await post("{}")).text, `${NOT_ONE}\n`);
      assert.equal((await post("{}", { "Content-Type": "text/plain" })).status, 415);
      assert.equal((await post("{}", { "Content-Encoding": "gzip" })).status, 415);
      const large = " ".repeat(2 * 1024 * 1024 + 1);
      assert.equal((await post(large, { "Content-Length": String(large.length) })).status, 413);
      assert.equal((await post(large, { "Transfer-Encoding": "chunked" })).status, 413);
      assert.deepEqual(
        refusals,
        [400, 415, 415, 413, 413].map((code) => `mutate ${code}`),
      );
    });
  });

  describe("when probed", () => {
    const target = (cas: string[]): { port: number; serverName: string; cas: string[] } => ({
      ...{ port, serverName: NAME, cas },
    });

    it("is well if it answers 200 with a certificate of the CA", async () => {
      assert.equal(await probe(target([first.ca])), true);
      assert.equal(await probe(target([second.ca, first.ca])), true);
    });

    it("is not while Pepr has no paths, with another CA's certificate, or another name", async () => {
      assert.equal(await probe(target([second.ca])), false);
      assert.equal(await probe({ ...target([first.ca]), serverName: "elsewhere.svc" }), false);
      answer = (response) => response.writeHead(404).end();
      assert.equal(await probe(target([first.ca])), false);
    });
  });
});
