/**
 * The admission Pod's side: waits until its certificate is there and notices when it changes. It looks again and again instead
 * of watching, so that it may read the one Secret and needs no list of any.
 */
import { backoffDelay, sleep, type Clock, type Logger } from "../../engine";
import type { ServingCertificate } from "./bundle";
import type { CertificateSource } from "./sources";

const FIRST_WAITS = { baseMilliseconds: 200, maximumMilliseconds: 2_000, jitter: 0.2 };
const LOOK_EVERY_MS = 10_000;

export interface FollowerOptions {
  source: CertificateSource;
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
  source,
  clock,
  log,
  onFirstAnswer,
  onCertificate,
  signal,
}: FollowerOptions): Promise<void> {
  let serving: string | undefined;
  let answered = false;
  for (let looks = 1; !signal.aborted; looks++) {
    const { certificate: found, why, reached } = await source();
    if (!answered && reached) {
      answered = true;
      onFirstAnswer();
    }
    if (found !== undefined && identity(found) !== serving) {
      serving = identity(found);
      onCertificate(found);
    }
    // Once per doubling: whoever makes it may take his time, and each replica waits.
    if (found === undefined && Number.isInteger(Math.log2(looks)))
      log.info({ why }, "waiting for the webhook's certificate");
    await sleep(clock, serving === undefined ? backoffDelay(looks, FIRST_WAITS) : LOOK_EVERY_MS, signal);
  }
}

function identity({ certificate, key, cas }: ServingCertificate): string {
  return [certificate, key, ...cas].join("");
}
