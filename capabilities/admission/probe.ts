/**
 * Asks the webhook's own HTTPS port as the API server does, certificate check included, so that readiness is what it says:
 * Pepr answers (it binds its paths only once its store is there), with a certificate that the current CA has signed.
 */
import https from "node:https";

const ANSWER_WITHIN_MS = 5_000;

export interface ProbeTarget {
  port: number;
  /** The name that the certificate must be for. */
  serverName: string;
  /** PEM. */
  cas: readonly string[];
}

export function probe({ port, serverName, cas }: ProbeTarget): Promise<boolean> {
  return new Promise((resolve) => {
    const request = https.get(
      { host: "127.0.0.1", port, path: "/healthz", servername: serverName, ca: [...cas], agent: false },
      (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      },
    );
    request.setTimeout(ANSWER_WITHIN_MS, () => request.destroy(new Error("no answer")));
    request.on("error", () => resolve(false));
  });
}
