/** An admission process whose certificate is mounted, as with cert-manager: what it serves, and that it follows a renewal. */
import assert from "node:assert/strict";
import tls from "node:tls";
import { X509Certificate } from "node:crypto";
import { AdmissionProcess } from "../support/e2e/admission-process";
import { ApiServer } from "../support/e2e/api-server";
import { eventually } from "../support/e2e/eventually";

describe("an admission process with a mounted certificate", () => {
  let server: ApiServer | undefined;
  let admission: AdmissionProcess;

  before(async () => {
    server = await ApiServer.withTrafficControls();
    admission = await AdmissionProcess.start(server, { isMounted: true });
  });

  after(async () => {
    await (admission as AdmissionProcess | undefined)?.stop();
    await server?.stop();
  });

  it("serves it, with no Secret to read", async () => {
    assert.equal(await served(), fingerprint());
  });

  it("serves the next one without a restart, and says until when", async () => {
    const before = fingerprint();
    await admission.renew();
    assert.notEqual(fingerprint(), before);
    // It looks every ten seconds.
    await eventually("the new one is served", async () => (await served()) === fingerprint(), { seconds: 60 });
    const until = await admission.metric("trafficcontrol_certificate_expiration_timestamp_seconds");
    assert.equal(until, Date.parse(new X509Certificate(admission.certificate.certificate).validTo) / 1000);
    assert.ok(admission.isRunning);
  });

  function fingerprint(): string {
    return new X509Certificate(admission.certificate.certificate).fingerprint256;
  }

  /** What a client gets that trusts the CA beside the certificate, as the API server does by caBundle. */
  function served(): Promise<string | undefined> {
    const { port, serverName: servername, certificate } = admission;
    return new Promise((resolve, reject) => {
      const socket = tls.connect({ host: "127.0.0.1", port, servername, ca: certificate.ca }, () => {
        resolve(socket.getPeerX509Certificate()?.fingerprint256);
        socket.destroy();
      });
      socket.once("error", reject);
    });
  }
});
