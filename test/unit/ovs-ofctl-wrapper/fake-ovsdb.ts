/**
 * A fake ovsdb-server for faults that a real one does not show on demand: it drops connections, stays silent, sends an
 * update right behind a reply. It stores nothing. Used by ovsdb.test.ts.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { ObjectSplitter } from "../../../packages/ovs-ofctl-wrapper/src/jsonrpc";

export interface Request {
  id: number | string | null;
  method?: string;
  params: unknown[];
  result?: unknown;
}

const SCHEMA = {
  version: "8.3.1",
  tables: {
    Port: {
      columns: {
        name: { type: "string" },
        tag: { type: { key: "integer", min: 0 } },
        trunks: { type: { key: "integer", min: 0, max: 4096 } },
        external_ids: { type: { key: "string", value: "string", min: 0, max: "unlimited" } },
      },
    },
  },
};

export class FakeOvsdb {
  readonly runDir = mkdtempSync(path.join(tmpdir(), "fake-ovsdb-"));
  readonly requests: Request[] = [];
  /** Answer to a method; undefined leaves it unanswered. An array is sent as several messages in one packet. */
  readonly answers: Record<string, (request: Request) => unknown> = {
    get_schema: () => SCHEMA,
    lock: () => ({ locked: true }),
    monitor: () => ({}),
  };
  private readonly sockets = new Set<Socket>();
  private server: Server | null = null;

  async listen(): Promise<void> {
    const server = createServer((socket) => {
      this.sockets.add(socket);
      const splitter = new ObjectSplitter();
      socket.setEncoding("utf8").on("data", (chunk: string) => {
        for (const text of splitter.push(chunk)) this.receive(socket, JSON.parse(text) as Request);
      });
      socket.on("error", () => undefined);
      socket.once("close", () => this.sockets.delete(socket));
    });
    this.server = server;
    await new Promise<void>((resolve) => server.listen(path.join(this.runDir, "db.sock"), resolve));
  }

  /** Sends to every client. */
  send(...messages: unknown[]): void {
    for (const socket of this.sockets) socket.write(messages.map((each) => JSON.stringify(each)).join(""));
  }

  sendText(text: string): void {
    for (const socket of this.sockets) socket.write(text);
  }

  /** Drops every connection and stops to listen. */
  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server?.close(resolve));
    this.server = null;
  }

  async remove(): Promise<void> {
    if (this.server) await this.stop();
    rmSync(this.runDir, { recursive: true, force: true });
  }

  private receive(socket: Socket, request: Request): void {
    this.requests.push(request);
    if (request.method === undefined) return;
    const result = this.answers[request.method]?.(request);
    if (result === undefined) return;
    const { reply, behind } = isBehind(result) ? result : { reply: result, behind: [] };
    socket.write(
      [{ id: request.id, result: reply, error: null }, ...behind].map((each) => JSON.stringify(each)).join(""),
    );
  }
}

/** A reply with messages right behind it, in one packet. */
interface Behind {
  reply: unknown;
  behind: unknown[];
}

function isBehind(value: unknown): value is Behind {
  return typeof value === "object" && value !== null && "behind" in value;
}
