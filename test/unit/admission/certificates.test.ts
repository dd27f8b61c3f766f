import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import https from "node:https";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { pino } from "pino";
import {
  readSecret,
  renewalReason,
  type ServingCertificate,
} from "../../../capabilities/admission/certificates/bundle";
import { followCertificate } from "../../../capabilities/admission/certificates/follower";
import { directorySource, secretSource } from "../../../capabilities/admission/certificates/sources";
import { issue } from "../../../capabilities/admission/certificates/issue";
import { certificateKeeper } from "../../../capabilities/admission/certificates/keeper";
import {
  certificateSecret,
  podsOf,
  serviceName,
  WEBHOOK_CONFIGURATIONS,
} from "../../../capabilities/admission/certificates/objects";
import type { Clock, KubernetesApi } from "../../../capabilities/engine";
import { FakeApi } from "./fake-api";

const NAMESPACE = "ovs-traffic-control";
const NAME = serviceName(NAMESPACE);
const SECRET = certificateSecret(NAMESPACE);
const DAY = 24 * 3_600_000;
const START = Date.parse("2026-01-01T00:00:00Z");
const log = pino({ level: "silent" });

/** A world with both webhook configurations, as helm leaves them, and a clock to turn. */
function world(): { api: FakeApi; at: { now: number }; look: () => Promise<void> } {
  const api = new FakeApi();
  const [mutating, validating] = WEBHOOK_CONFIGURATIONS;
  api.put(mutating!, {
    webhooks: [
      { name: "early", clientConfig: {} },
      { name: "mutate", clientConfig: {} },
    ],
  });
  api.put(validating!, { webhooks: [{ name: "validate", clientConfig: { caBundle: "" } }] });
  const at = { now: START };
  const after = (_milliseconds: number, callback: () => void): { cancel: () => void } => {
    setImmediate(callback);
    return { cancel: () => undefined };
  };
  const clock = { now: () => at.now, after } as Clock;
  const keeper = certificateKeeper(api as unknown as KubernetesApi, { namespace: NAMESPACE, clock, log });
  return { api, at, look: () => keeper.reconcile() };
}

/** A Pod that serves the webhook: a real HTTPS server on loopback. */
class Replica {
  private constructor(
    private readonly api: FakeApi,
    private readonly name: string,
    private readonly server: https.Server,
  ) {}

  static async start(api: FakeApi, name: string, { certificate: cert, key }: ServingCertificate): Promise<Replica> {
    const server = https.createServer({ cert, key }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const replica = new Replica(api, name, server);
    replica.describe({ phase: "Running", podIP: "127.0.0.1" });
    return replica;
  }

  describe(status: object, isOnNode = true): void {
    const containerPort = (this.server.address() as AddressInfo | null)?.port ?? 1;
    const containers = [
      {
        ports: [
          { name: "metrics", containerPort: 1 },
          { name: "webhook", containerPort },
        ],
      },
    ];
    this.api.put(
      { ...podsOf(NAMESPACE), name: this.name },
      { spec: { nodeName: isOnNode ? "n" : undefined, containers }, status },
    );
  }

  serve({ certificate: cert, key }: ServingCertificate): void {
    this.server.setSecureContext({ cert, key });
  }

  async stop(): Promise<void> {
    if (!this.server.listening) return;
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, "close");
  }
}

const current = (api: FakeApi): ServingCertificate => {
  const found = readSecret(api.read(SECRET));
  assert.ok(found, "there is no usable Secret");
  return found;
};
const bundles = (api: FakeApi): string[] =>
  WEBHOOK_CONFIGURATIONS.flatMap((path) => {
    const { webhooks } = api.read(path) as unknown as { webhooks: { clientConfig: { caBundle?: string } }[] };
    return webhooks.map(({ clientConfig }) => Buffer.from(clientConfig.caBundle ?? "", "base64").toString());
  });

describe("an issued certificate", () => {
  it("is for the Service's name, for servers, and signed by a CA that signs nothing but leaves", async () => {
    const { ca, certificate, key } = await issue(NAME, START, 90 * DAY);
    const [authority, leaf] = [new X509Certificate(ca), new X509Certificate(certificate)];
    assert.equal(leaf.checkHost("ovs-traffic-control-admission.ovs-traffic-control.svc"), NAME);
    assert.ok(leaf.verify(authority.publicKey) && leaf.checkIssued(authority));
    assert.deepEqual([authority.ca, leaf.ca], [true, false]);
    assert.deepEqual(leaf.keyUsage, ["1.3.6.1.5.5.7.3.1"]);
    assert.match(key, /^-----BEGIN PRIVATE KEY-----\n/);
    assert.equal(Date.parse(leaf.validTo), START + 90 * DAY);
  });
});

describe("the keeper of the certificates", () => {
  it("makes the Secret and puts its CA into every webhook", async () => {
    const { api, look } = world();
    await look();
    const { cas } = current(api);
    assert.equal(cas.length, 1);
    assert.deepEqual(bundles(api), [cas[0], cas[0], cas[0]]);
    assert.equal((api.read(SECRET) as { type?: string }).type, "kubernetes.io/tls");
  });

  it("keeps no key of a CA", async () => {
    const { api, look } = world();
    await look();
    assert.deepEqual(Object.keys((api.read(SECRET) as unknown as { data: object }).data).sort(), [
      "ca.crt",
      "tls.crt",
      "tls.key",
    ]);
  });

  it("has the CA trusted before it hands out the certificate", async () => {
    const { api, look } = world();
    await look();
    assert.deepEqual(api.writes, [
      "PATCH mutatingwebhookconfigurations",
      "PATCH validatingwebhookconfigurations",
      "POST secrets",
    ]);
  });

  it("writes nothing when all is well", async () => {
    const { api, look } = world();
    await look();
    api.writes.length = 0;
    await look();
    assert.deepEqual(api.writes, []);
  });

  it("mends one overwritten caBundle and nothing else", async () => {
    const { api, look } = world();
    await look();
    const before = current(api);
    const path = WEBHOOK_CONFIGURATIONS[0]!;
    const webhooks = [
      { name: "early", clientConfig: {} },
      (api.read(path) as unknown as { webhooks: object[] }).webhooks[1]!,
    ];
    api.put(path, { webhooks });
    api.writes.length = 0;
    await look();
    assert.deepEqual(api.writes, ["PATCH mutatingwebhookconfigurations"]);
    assert.deepEqual(new Set(bundles(api)), new Set(before.cas));
  });

  it("makes a deleted Secret anew, and goes on trusting the Pods that still serve the old certificate", async () => {
    const { api, look } = world();
    await look();
    const before = current(api);
    api.objects.delete([...api.objects.keys()].find((key) => key.includes("secrets"))!);
    await look();
    assert.notEqual(current(api).certificate, before.certificate);
    assert.deepEqual(current(api).cas.slice(1), before.cas);
    assert.deepEqual(new Set(bundles(api)), new Set([current(api).cas.join("")]));
  });

  it("replaces a Secret that holds nonsense, and keeps its type, which cannot be changed", async () => {
    const { api, look } = world();
    api.put(SECRET, { type: "Opaque", data: { "tls.crt": "bm9uc2Vuc2U=" } });
    await look();
    assert.equal((api.read(SECRET) as { type?: string }).type, "Opaque");
    assert.equal(renewalReason(current(api), NAME, START), undefined);
  });

  it("does without a webhook configuration that is not there yet", async () => {
    const { api, look } = world();
    api.objects.delete([...api.objects.keys()].find((key) => key.includes("validating"))!);
    await look();
    assert.ok(current(api));
  });

  it("renews when less than a third of the life is left, and has the CA before trusted as well", async () => {
    const { api, at, look } = world();
    await look();
    const before = current(api);
    at.now = START + 59 * DAY;
    await look();
    assert.deepEqual(current(api), before);
    at.now = START + 61 * DAY;
    await look();
    const after = current(api);
    assert.notEqual(after.certificate, before.certificate);
    assert.deepEqual(after.cas.slice(1), before.cas);
    assert.deepEqual(new Set(bundles(api)), new Set([after.cas.join("")]));
  });

  it("trusts no CA that has ended", async () => {
    const { api, at, look } = world();
    for (const days of [0, 61, 900]) {
      at.now = START + days * DAY;
      await look();
    }
    assert.equal(current(api).cas.length, 1);
  });

  it("never trusts more than five, however often the Secret is deleted", async () => {
    const { api, look } = world();
    for (let times = 0; times < 8; times++) {
      api.objects.delete([...api.objects.keys()].find((key) => key.includes("secrets")) ?? "");
      await look();
    }
    assert.equal(current(api).cas.length, 5);
  });

  describe("after a change", () => {
    let pods: Replica[] = [];
    beforeEach(() => (pods = []));
    afterEach(() => Promise.all(pods.map((pod) => pod.stop())));
    /** Two Pods with the first certificate, and a second one in the Secret. */
    async function changed(): Promise<ReturnType<typeof world>> {
      const here = world();
      await here.look();
      for (const name of ["one", "two"]) pods.push(await Replica.start(here.api, name, current(here.api)));
      here.at.now = START + 61 * DAY;
      await here.look();
      await here.look();
      assert.equal(current(here.api).cas.length, 2);
      return here;
    }

    it("trusts the CA before until every Pod serves the new certificate", async () => {
      const { api, look } = await changed();
      const { certificate } = current(api);
      pods[0]!.serve(current(api));
      await look();
      assert.equal(current(api).cas.length, 2);
      pods[1]!.serve(current(api));
      await look();
      assert.equal(current(api).cas.length, 1);
      assert.equal(current(api).certificate, certificate);
      assert.deepEqual(new Set(bundles(api)), new Set([current(api).cas.join("")]));
      api.writes.length = 0;
      await look();
      assert.deepEqual(api.writes, []);
    });

    it("trusts it as long as a Pod does not answer, and no longer than it is there", async () => {
      const { api, look } = await changed();
      pods[0]!.serve(current(api));
      await pods[1]!.stop();
      await look();
      assert.equal(current(api).cas.length, 2);
      pods[1]!.describe({ phase: "Succeeded" });
      await look();
      assert.equal(current(api).cas.length, 1);
    });

    it("does not wait for a Pod that has no node yet, but for one that has no address yet", async () => {
      const { api, look } = await changed();
      for (const pod of pods) pod.serve(current(api));
      pods[0]!.describe({ phase: "Pending" });
      await look();
      assert.equal(current(api).cas.length, 2);
      pods[0]!.describe({ phase: "Pending" }, false);
      await look();
      assert.equal(current(api).cas.length, 1);
    });
  });

  it("hands out no certificate while the trust in it could not be written", async () => {
    const { api, look } = world();
    api.refuse = (write) =>
      write.startsWith("PATCH validating")
        ? { ok: false, code: 503, reason: "ServiceUnavailable", message: "later" }
        : undefined;
    await assert.rejects(look(), /caBundle of the validatingwebhookconfigurations.*503.*later/);
    assert.equal(api.read(SECRET), undefined);
    api.refuse = () => undefined;
    await look();
    assert.deepEqual(new Set(bundles(api)), new Set([current(api).cas.join("")]));
  });
});

describe("a reason to renew", () => {
  it("is a leaf for another name, a CA of another leaf, and a leaf of the future", async () => {
    const own = await issue(NAME, START, 90 * DAY);
    const other = await issue("elsewhere.svc", START, 90 * DAY);
    const of = (from: typeof own, ca = from.ca): ServingCertificate => ({ ...from, cas: [ca] });
    assert.equal(renewalReason(of(own), NAME, START), undefined);
    assert.match(renewalReason(of(other), NAME, START) ?? "", /not for/);
    assert.match(renewalReason(of(own, other.ca), NAME, START) ?? "", /CA is not beside it/);
    assert.match(renewalReason(of(own), NAME, START - DAY) ?? "", /not valid before/);
    assert.match(renewalReason(undefined, NAME, START) ?? "", /there is none/);
  });

  it("is a Secret whose key belongs to another certificate", async () => {
    const [one, two] = [await issue(NAME, START, 90 * DAY), await issue(NAME, START, 90 * DAY)];
    const data = { "tls.crt": one.certificate, "tls.key": two.key, "ca.crt": one.ca };
    const encoded = Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString("base64")]);
    assert.equal(readSecret({ data: Object.fromEntries(encoded) as Record<string, string> }), undefined);
  });
});

describe("an admission Pod that follows its certificate", () => {
  it("waits for the Secret and hears of each change once", async () => {
    const { api, at, look } = world();
    const seen: string[] = [];
    const stop = new AbortController();
    let looks = 0;
    const steps: Record<number, () => Promise<void>> = {
      3: look,
      6: async () => {
        at.now = START + 61 * DAY;
        await look();
      },
      9: () => {
        stop.abort();
        return Promise.resolve();
      },
    };
    const clock = {
      now: () => at.now,
      after: (_milliseconds: number, callback: () => void) => {
        void (steps[++looks]?.() ?? Promise.resolve()).then(callback);
        return { cancel: () => undefined };
      },
    } as unknown as Clock;
    const onCertificate = ({ certificate }: ServingCertificate): void => void seen.push(certificate);
    const following = { source: secretSource(api as unknown as KubernetesApi, NAMESPACE), clock, log, onCertificate };
    let answers = 0;
    await followCertificate({ ...following, onFirstAnswer: () => answers++, signal: stop.signal });
    assert.equal(answers, 1);
    assert.equal(seen.length, 2);
    assert.equal(seen[1], current(api).certificate);
  });

  it("reads the files of a Secret that somebody else keeps, and takes them for none while they do not belong together", async () => {
    const directory = await mkdtemp(path.join(tmpdir(), "certificates-"));
    try {
      const look = directorySource(new FakeApi() as unknown as KubernetesApi, directory);
      assert.deepEqual(await look(), {
        ...{ reached: true, certificate: undefined },
        why: `${directory} holds no usable certificate with its CA`,
      });
      const [one, two] = await Promise.all([issue(NAME, START, DAY), issue(NAME, START, DAY)]);
      const write = (name: string, text: string): Promise<void> => writeFile(path.join(directory, name), text);
      await Promise.all([write("tls.crt", one.certificate), write("tls.key", one.key), write("ca.crt", one.ca)]);
      assert.deepEqual((await look()).certificate, { certificate: one.certificate, key: one.key, cas: [one.ca] });
      await write("tls.crt", two.certificate);
      assert.equal((await look()).certificate, undefined);
      await Promise.all([write("tls.key", two.key), write("ca.crt", two.ca)]);
      assert.equal((await look()).certificate?.certificate, two.certificate);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
