/** JSON-RPC 1.0 over a Unix socket, as ovsdb-server (RFC 7047, section 4) and the daemons' control sockets speak it. */
import { connect } from "node:net";
import type { Socket } from "node:net";

interface Message {
  id?: unknown;
  method?: string;
  params?: unknown;
  result?: unknown;
  error?: unknown;
}

/** Answer to one call: a result, an error object of the peer, or the loss of the connection. */
export type Reply = { result: unknown } | { error: unknown } | { lost: string } | { timedOut: true };

/** Splits a stream of concatenated JSON objects without looking at a byte twice: a first reply can be many megabytes. */
export class ObjectSplitter {
  private parts: string[] = [];
  private depth = 0;
  private inString = false;
  private escaped = false;

  push(chunk: string): string[] {
    const complete: string[] = [];
    let start = 0;
    for (let i = 0; i < chunk.length; i++) {
      const c = chunk.charCodeAt(i);
      if (this.inString) {
        if (this.escaped) this.escaped = false;
        else if (c === 0x5c) this.escaped = true;
        else if (c === 0x22) this.inString = false;
      } else if (c === 0x22) this.inString = true;
      else if (c === 0x7b) this.depth++;
      else if (c === 0x7d && --this.depth === 0) {
        this.parts.push(chunk.slice(start, i + 1));
        complete.push(this.parts.join(""));
        this.parts = [];
        start = i + 1;
      }
    }
    if (start < chunk.length) this.parts.push(chunk.slice(start));
    return complete;
  }
}

/** One connection. It never reconnects: that is its owner's business. */
export class JsonRpc {
  private nextId = 0;
  private readonly waiting = new Map<number, (reply: Reply) => void>();
  private readonly splitter = new ObjectSplitter();
  /** Called for every notification of the peer. `echo` requests are answered here already. */
  onNotification: (method: string, params: unknown) => void = () => undefined;
  /** Called once, when the connection is gone; not after close(). */
  onClose: (reason: string) => void = () => undefined;
  private reason = "closed by the peer";
  private open = true;

  private constructor(private readonly socket: Socket) {
    socket.setEncoding("utf8");
    socket.on("data", (chunk: string) => {
      for (const text of this.splitter.push(chunk)) this.receive(text);
    });
    socket.on("error", (error) => (this.reason = error.message));
    socket.once("close", () => {
      const expected = !this.open;
      this.lose();
      if (!expected) this.onClose(this.reason);
    });
  }

  /** Rejects with the system's error (ENOENT, ECONNREFUSED…) if nobody listens. */
  static connect(path: string): Promise<JsonRpc> {
    return new Promise((resolve, reject) => {
      const socket = connect({ path });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.removeListener("error", reject);
        resolve(new JsonRpc(socket));
      });
    });
  }

  /**
   * One call. `onResult` is called before any message behind the reply is looked at; a promise's continuation runs too
   * late for that (the updates of a monitor may be in the same packet as its initial rows).
   */
  call(
    method: string,
    params: unknown,
    timeoutMilliseconds: number,
    onResult: (result: unknown) => void = () => undefined,
  ): Promise<Reply> {
    if (!this.open) return Promise.resolve({ lost: this.reason });
    const id = this.nextId++;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id);
        resolve({ timedOut: true });
      }, timeoutMilliseconds);
      this.waiting.set(id, (reply) => {
        clearTimeout(timer);
        if ("result" in reply) onResult(reply.result);
        resolve(reply);
      });
      this.send({ method, params, id });
    });
  }

  close(): void {
    if (!this.open) return;
    this.reason = "closed by this side";
    this.lose();
    this.socket.destroy();
  }

  private send(message: Message): void {
    this.socket.write(JSON.stringify(message));
  }

  private receive(text: string): void {
    let message: Message;
    try {
      message = JSON.parse(text) as Message;
    } catch (error) {
      this.reason = `the peer sent what is not JSON: ${(error as Error).message}`;
      this.socket.destroy();
      return;
    }
    if (message.method === "echo") this.send({ id: message.id, result: message.params, error: null });
    else if (message.method !== undefined) this.onNotification(message.method, message.params);
    else if (typeof message.id === "number") {
      const settle = this.waiting.get(message.id);
      this.waiting.delete(message.id);
      settle?.(
        message.error === null || message.error === undefined ? { result: message.result } : { error: message.error },
      );
    }
  }

  private lose(): void {
    this.open = false;
    for (const settle of this.waiting.values()) settle({ lost: this.reason });
    this.waiting.clear();
  }
}
