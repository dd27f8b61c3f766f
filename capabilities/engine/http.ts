/** The plain-HTTP port of the controller: /metrics for Prometheus, /healthz and /readyz for the kubelet. */
import http from "node:http";

export interface StatusServerOptions {
  port: number;
  metrics: () => Promise<string>;
  healthy: () => boolean;
  ready: () => boolean;
}

export interface StatusServer {
  port: number;
  close(): Promise<void>;
}

export async function serveStatus(options: StatusServerOptions): Promise<StatusServer> {
  const server = http.createServer((request, response) => {
    void answer(request.url ?? "/", options).then(({ code, text, type = "text/plain" }) => {
      response.writeHead(code, { "Content-Type": `${type}; charset=utf-8` });
      response.end(text);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : options.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  url: string,
  { metrics, healthy, ready }: StatusServerOptions,
): Promise<{ code: number; text: string; type?: string }> {
  const probe = (well: boolean): { code: number; text: string } =>
    well ? { code: 200, text: "ok\n" } : { code: 503, text: "not yet\n" };
  switch (url.split("?")[0]) {
    case "/metrics":
      return { code: 200, text: await metrics(), type: "text/plain; version=0.0.4" };
    case "/healthz":
      return probe(healthy());
    case "/readyz":
      return probe(ready());
    default:
      return { code: 404, text: "/metrics /healthz /readyz\n" };
  }
}
