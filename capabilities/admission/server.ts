/**
 * The HTTPS server that Pepr makes for itself and hands to nobody. Caught as it is made, because four things need it:
 * keep-alive (Pepr 1.1.4 leaves Node's 5 s, so that the API server sends requests into connections that are just being
 * closed: `failed to call webhook: EOF`; pepr 1.1.6 has it fixed), requests that are none (receive.ts), new certificates
 * without a restart, and draining.
 */
import https from "node:https";
import type { RequestListener } from "node:http";
import { receiveReviews, type OnRefusal } from "./receive";

/** Longer than the API server keeps an idle connection to a webhook. */
const KEEP_ALIVE_MS = 90_000;
const HEADERS_MS = 95_000;
/** For what is still being answered when the server closes. */
const LAST_ANSWERS_MS = 5_000;

export class WebhookServer {
  private draining = false;

  private constructor(private readonly server: https.Server) {}

  /**
   * Runs `start`, which must call https.createServer once, and returns the server it has made. SIGTERM handlers that it
   * installs are taken away: Pepr's closes at once and exits with 143, while requests are still on their way to this Pod.
   */
  static catch(start: () => void, onRefusal: OnRefusal): WebhookServer {
    const original = https.createServer;
    const handlers = new Set(process.listeners("SIGTERM"));
    let caught: WebhookServer | undefined;
    const createServer = (options: https.ServerOptions, listener: RequestListener): https.Server => {
      const receive = receiveReviews(listener, onRefusal);
      const server = original(options, (request, response) => {
        // Tells the API server to use another connection, to another Pod, for the next request.
        if (caught?.draining === true) response.setHeader("Connection", "close");
        receive(request, response);
      });
      server.keepAliveTimeout = KEEP_ALIVE_MS;
      server.headersTimeout = HEADERS_MS;
      caught = new WebhookServer(server);
      return server;
    };
    Object.assign(https, { createServer });
    try {
      start();
    } finally {
      Object.assign(https, { createServer: original });
    }
    if (caught === undefined) throw new Error("Pepr has not made its HTTPS server: has its start become asynchronous?");
    for (const handler of process.listeners("SIGTERM"))
      if (!handlers.has(handler)) process.removeListener("SIGTERM", handler);
    return caught;
  }

  /** Open connections go on with the old certificate, new ones get this. */
  setCertificate({ certificate, key }: { certificate: string; key: string }): void {
    this.server.setSecureContext({ cert: certificate, key });
  }

  /**
   * Goes on answering for so long, because the Service sends requests here until the Pod's removal is known everywhere,
   * then closes.
   */
  async drain(milliseconds: number): Promise<void> {
    this.draining = true;
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve());
      this.server.closeIdleConnections();
      setTimeout(() => this.server.closeAllConnections(), LAST_ANSWERS_MS).unref();
    });
  }
}
