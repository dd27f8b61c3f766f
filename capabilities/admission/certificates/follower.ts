/**
 * The admission Pod's side: waits until the controller has made the Secret and notices when its certificate changes.
 * It asks again and again instead of watching, so that it may read this one Secret and needs no list of any.
 */
import { backoffDelay, sleep, type Clock, type KubernetesApi, type Logger } from "../../engine";
import { readSecret, type CertificateSecret, type ServingCertificate } from "./bundle";
import { certificateSecret } from "./objects";

const FIRST_WAITS = { baseMilliseconds: 200, maximumMilliseconds: 2_000, jitter: 0.2 };
const LOOK_EVERY_MS = 10_000;

export interface FollowerOptions {
  api: KubernetesApi;
  namespace: string;
  clock: Clock;
  log: Logger;
  /** Called once, when the API server has answered for the first time, whatever it said. Must not throw. */
  onFirstAnswer: () => void;
  /** Called with the first certificate and with each other one after it. Must not throw. */
  onCertificate: (certificate: ServingCertificate) => void;
  signal: AbortSignal;
}

/** Runs until the signal; never rejects. */
export async function followCertificate({
  api,
  namespace,
  clock,
  log,
  onFirstAnswer,
  onCertificate,
  signal,
}: FollowerOptions): Promise<void> {
  let serving: string | undefined;
  let answered = false;
  for (let looks = 1; !signal.aborted; looks++) {
    const answer = await api.get<CertificateSecret>(certificateSecret(namespace));
    if (!answered && (answer.ok || answer.code !== 0)) {
      answered = true;
      onFirstAnswer();
    }
    const found = answer.ok ? readSecret(answer.value) : undefined;
    if (found !== undefined && identity(found) !== serving) {
      serving = identity(found);
      onCertificate(found);
    }
    if (found === undefined) {
      const why = answer.ok ? "the Secret holds no usable certificate" : `${answer.code} ${answer.message}`;
      // Once per doubling: the controller may take its time, and each replica waits.
      if (Number.isInteger(Math.log2(looks))) log.info({ why }, "waiting for the webhook's certificate");
    }
    await sleep(clock, serving === undefined ? backoffDelay(looks, FIRST_WAITS) : LOOK_EVERY_MS, signal);
  }
}

function identity({ certificate, key, cas }: ServingCertificate): string {
  return [certificate, key, ...cas].join("");
}
