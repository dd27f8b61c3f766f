/**
 * Reads the body of each request for the webhooks' paths and hands on to Pepr only what is an AdmissionReview of a
 * TrafficControl, parsed already. Everything else gets a 4xx and a sentence. Used by server.ts.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { openEnvelope, type Envelope, type Refusal } from "./envelope";
import type { Webhook } from "./metrics";

/** Pepr's own limit; the API server stores at most 1.5 MiB, and a TrafficControl is smaller by three orders. */
const LARGEST_BODY = 2 * 1024 * 1024;

export type OnRefusal = (webhook: Webhook, refusal: Refusal) => void;

/** @param next Pepr's listener, an express application, whose body parser leaves a body alone that has been read */
export function receiveReviews(next: RequestListener, onRefusal: OnRefusal): RequestListener {
  return (request, response) => {
    const webhook = webhookOf(request);
    if (webhook === undefined) {
      next(request, response);
      return;
    }
    readEnvelope(request, (envelope) => {
      if (envelope.ok) {
        next(Object.assign(request, { body: envelope.review }), response);
        return;
      }
      onRefusal(webhook, envelope);
      answer(response, envelope);
    });
  };
}

/** Pepr takes nothing but reviews by POST; in which case a path is written is the same to it. */
function webhookOf({ method, url = "" }: IncomingMessage): Webhook | undefined {
  if (method !== "POST") return undefined;
  return /^\/mutate\b/i.test(url) ? "mutate" : "validate";
}

/** Calls back once; never if the client goes away before it has said everything. */
function readEnvelope(request: IncomingMessage, found: (envelope: Envelope) => void): void {
  const wrong = wrongHeaders(request);
  if (wrong !== undefined) {
    found({ ok: false, ...wrong });
    return;
  }
  const chunks: Buffer[] = [];
  let size = 0;
  const collect = (chunk: Buffer): void => {
    size += chunk.length;
    if (size <= LARGEST_BODY) chunks.push(chunk);
    else {
      request.off("data", collect).off("end", end);
      found({ ok: false, ...tooLarge });
    }
  };
  const end = (): void => found(openEnvelope(Buffer.concat(chunks, size)));
  request.on("data", collect).once("end", end);
}

const tooLarge: Refusal = { code: 413, message: `The body has more than ${LARGEST_BODY} bytes.` };

function wrongHeaders({ headers }: IncomingMessage): Refusal | undefined {
  if (Number(headers["content-length"] ?? 0) > LARGEST_BODY) return tooLarge;
  if (!/^application\/json *(;|$)/i.test(headers["content-type"] ?? ""))
    return { code: 415, message: "Content-Type is not application/json." };
  const encoding = headers["content-encoding"] ?? "identity";
  return encoding === "identity" ? undefined : { code: 415, message: "Content-Encoding: send the body as it is." };
}

/** Node reads what is left of the body and forgets it. */
function answer(response: ServerResponse, { code, message }: Refusal): void {
  response.writeHead(code, { "Content-Type": "text/plain; charset=utf-8" });
  response.end(`${message}\n`);
}
