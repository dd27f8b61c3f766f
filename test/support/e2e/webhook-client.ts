/** Talks to the webhook's HTTPS port as the API server does: kept-alive connections, certificate checked. */
import { Agent, request } from "node:https";
import type { AdmissionProcess } from "./admission-process";

export interface Answer {
  status: number;
  body: string;
}

export class WebhookClient {
  private readonly agent: Agent;

  constructor(
    private readonly process: AdmissionProcess,
    connections: number,
  ) {
    const { certificate, serverName: servername } = process;
    this.agent = new Agent({ keepAlive: true, maxSockets: connections, ca: certificate.ca, servername });
  }

  post(path: string, headers: Record<string, string>, body: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const target = { host: "127.0.0.1", port: this.process.port, path, method: "POST", agent: this.agent };
      const asking = request({ ...target, headers: { ...headers, "Content-Length": body.length } }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk)).once("error", reject);
        response.once("end", () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") }),
        );
      });
      asking.once("error", reject);
      asking.end(body);
    });
  }

  close(): void {
    this.agent.destroy();
  }
}
