/**
 * The admission process: certificate first, then Pepr on its HTTPS port, beside it a plain port for probes and metrics.
 * Called by pepr.ts.
 */
import { mkdtempSync, writeFileSync } from "node:fs";
import path from "node:path";
import { serveStatus, sleep, type Clock, type KubernetesApi, type Logger } from "../engine";
import { directorySource, followCertificate, secretSource, serviceName, type ServingCertificate } from "./certificates";
import type { AdmissionEnvironment } from "./environment";
import { probe } from "./probe";
import type { OnRefusal } from "./receive";
import { WebhookServer } from "./server";

/** Pepr's start hangs for good if its store cannot be reached in that moment; the kubelet then restarts the container. */
const HUNG_AFTER_MS = 60_000;
const PROBE_UNTIL_READY_MS = 250;
const PROBE_EVERY_MS = 10_000;
/** On a busy node, a slow answer is better than an unready Pod, whose share of the requests slows down the others. */
const FAILURES_UNTIL_UNREADY = 3;

export interface AdmissionParts {
  environment: AdmissionEnvironment;
  api: KubernetesApi;
  clock: Clock;
  log: Logger;
  metrics: () => Promise<string>;
  /** Called about a request that was no AdmissionReview of a TrafficControl. */
  onRefusal: OnRefusal;
  /**
   * Makes Pepr's module, which reaches for its store at once and tries that only once (Pepr 1.1.4): hence called when the
   * API server has answered something.
   */
  makePepr: () => void;
  /** Called with each certificate (PEM) that is served from then on. */
  onCertificate: (certificate: string) => void;
  /** Makes Pepr listen. Called once, when the certificate is there. */
  listen: (files: { certificate: string; key: string }) => void;
}

export interface Admission {
  /** Answers on, then closes; resolves when all is answered. */
  stop(): Promise<void>;
}

export async function startAdmission(parts: AdmissionParts): Promise<Admission> {
  const { environment, api, clock, log } = parts;
  const { podNamespace, certificateDirectory } = environment;
  const source =
    certificateDirectory === undefined ? secretSource(api, podNamespace) : directorySource(api, certificateDirectory);
  const stopping = new AbortController();
  const serving = new Serving(parts);
  const status = await serveStatus({
    port: environment.metricsPort,
    metrics: parts.metrics,
    healthy: () => serving.isHealthy(),
    ready: () => serving.isReady(),
  });
  const onCertificate = (certificate: ServingCertificate): void => serving.use(certificate);
  const onFirstAnswer = (): void => parts.makePepr();
  const { signal } = stopping;
  const following = followCertificate({ source, clock, log, onFirstAnswer, onCertificate, signal });
  const probing = serving.probeUntil(stopping.signal);
  return {
    stop: async () => {
      await serving.stop();
      stopping.abort();
      await Promise.all([following, probing]);
      await status.close();
    },
  };
}

/**
 * Ready is what this process can know with the rights it has, which do not include reading webhook configurations: it
 * serves, over TLS, the certificate that the Secret holds now. The controller writes a CA into caBundle before it writes a
 * certificate of that CA into the Secret, so whoever serves what is in the Secret is trusted by the API server.
 */
class Serving {
  private certificate: ServingCertificate | undefined;
  private server: WebhookServer | undefined;
  private lastAnswer: number | undefined;
  private answers = false;
  private stopping = false;

  constructor(private readonly parts: AdmissionParts) {}

  /** Healthy while it waits for its certificate, too: a restart would not bring that nearer. */
  isHealthy(): boolean {
    return this.lastAnswer === undefined || this.parts.clock.monotonic() - this.lastAnswer < HUNG_AFTER_MS;
  }

  isReady(): boolean {
    return this.answers && !this.stopping;
  }

  use(certificate: ServingCertificate): void {
    const { log } = this.parts;
    const before = this.certificate;
    this.certificate = certificate;
    // The CA before it may have gone, nothing else.
    if (before?.certificate === certificate.certificate) return;
    this.parts.onCertificate(certificate.certificate);
    if (this.server !== undefined) {
      this.server.setCertificate(certificate);
      log.info("serving a new certificate");
      return;
    }
    const files = this.writeFiles(certificate);
    this.lastAnswer = this.parts.clock.monotonic();
    this.server = WebhookServer.catch(() => this.parts.listen(files), this.parts.onRefusal);
    log.info("the webhook has its certificate and starts");
  }

  async probeUntil(signal: AbortSignal): Promise<void> {
    const { environment, clock, log } = this.parts;
    const target = { port: environment.webhookPort, serverName: serviceName(environment.podNamespace) };
    for (let failures = 0; !signal.aborted; ) {
      const certificate = this.certificate;
      const well = certificate !== undefined && (await probe({ ...target, cas: certificate.cas }));
      if (well) this.lastAnswer = clock.monotonic();
      failures = well ? 0 : failures + 1;
      const answers = well || (this.answers && failures < FAILURES_UNTIL_UNREADY);
      if (answers !== this.answers) log.info(answers ? "the webhook answers" : "the webhook does not answer any more");
      this.answers = answers;
      await sleep(clock, well ? PROBE_EVERY_MS : PROBE_UNTIL_READY_MS, signal);
    }
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await this.server?.drain(this.parts.environment.drainMilliseconds);
  }

  private writeFiles({ certificate, key }: ServingCertificate): { certificate: string; key: string } {
    const directory = mkdtempSync(path.join(this.parts.environment.temporaryDirectory, "webhook-"));
    const files = { certificate: path.join(directory, "tls.crt"), key: path.join(directory, "tls.key") };
    writeFileSync(files.certificate, certificate, { mode: 0o600 });
    writeFileSync(files.key, key, { mode: 0o600 });
    return files;
  }
}
