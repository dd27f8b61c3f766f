/**
 * One OpenFlow connection to a bridge's management socket, without a process. It never reconnects: that is its owner's
 * business. Opened by OpenFlow, held by ConnectionMonitor.
 */
import { EventEmitter } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import type { FlowEvent } from "../monitor";
import * as messages from "./messages";

interface Events {
  /** The peer has ended it; not after close(). */
  close: [reason: string];
  /** Somebody else has changed a flow; only after watch(). */
  flow: [event: FlowEvent];
}

/**
 * - `done`: all changes are in force.
 * - `refused`: none is; Open vSwitch does not take one of them.
 * - `lost`, `timedOut`: it is not known.
 */
export type BundleOutcome = "done" | "refused" | "lost" | "timedOut";

/** The bridge's `protocols` leave our version out. */
export class VersionRefused extends Error {}

/** Somebody listens, but says nothing: ovs-vswitchd is stopped, or overloaded. */
export class Silent extends Error {}

/** What the peer says to a request: a message, or nothing because the connection is gone or the time is up. */
type Answer = Buffer | "lost" | "timedOut";

/** Who waits for an answer to one of these numbers, first and last included. */
interface Waiting {
  first: number;
  last: number;
  settle: (answer: Answer) => void;
}

export class Connection extends EventEmitter<Events> {
  private nextXid = 1;
  private received: Buffer = Buffer.alloc(0);
  private readonly waiting = new Set<Waiting>();
  private open = true;
  private reason = "closed by ovs-vswitchd";
  private watching: Promise<boolean> | null = null;

  private constructor(
    private readonly socket: Socket,
    private readonly timeoutMilliseconds: number,
  ) {
    super();
    // Open requests keep the process alive by their time-outs, and so does watch().
    socket.unref();
    socket.on("data", (chunk: Buffer) => {
      this.split(chunk);
    });
    socket.on("error", (error) => (this.reason = error.message));
    socket.once("close", () => {
      this.end(true);
    });
  }

  /** Rejects if nobody listens there, or who does is silent or does not speak OpenFlow 1.5. */
  static async open(path: string, timeoutMilliseconds: number): Promise<Connection> {
    const socket = await new Promise<Socket>((resolve, reject) => {
      const attempt = connect({ path });
      attempt.once("error", reject);
      attempt.once("connect", () => {
        attempt.removeListener("error", reject);
        resolve(attempt);
      });
    });
    const connection = new Connection(socket, timeoutMilliseconds);
    // Every hello has xid 0 here: ours, and the peer's is taken for its answer.
    const answer = await connection.ask(0, messages.hello());
    if (typeof answer !== "string" && messages.agrees(answer)) return connection;
    connection.close();
    if (answer === "timedOut") throw new Silent(`${path}: no hello within ${timeoutMilliseconds / 1000} s`);
    if (answer === "lost") throw new Error(`${path}: ${connection.reason}`);
    throw new VersionRefused(`${path}: the bridge's protocols do not allow OpenFlow 1.5`);
  }

  get alive(): boolean {
    return this.open;
  }

  /** Applies flow-mods as one atomic bundle. */
  async bundle(flowMods: readonly Buffer[]): Promise<BundleOutcome> {
    const xid = this.number(flowMods.length + 1);
    // The switch looks at each message as it comes, but takes the rest of a bundle in spite of a bad one: hence the
    // barrier, behind which all complaints are known.
    const bundle = [
      messages.bundleStep(xid, "open"),
      ...flowMods.map((mod, index) => messages.bundleAdd(xid, xid + 1 + index, mod)),
    ];
    const last = xid + flowMods.length;
    const checked = await this.ask(xid, Buffer.concat([...bundle, messages.barrier(xid)]), isVerdict, last);
    if (typeof checked === "string") return checked;
    if (isError(checked)) {
      this.socket.write(messages.bundleStep(xid, "discard"));
      return "refused";
    }
    const committed = await this.ask(xid, messages.bundleStep(xid, "commit"), isCommitted);
    if (typeof committed === "string") return committed;
    return isError(committed) ? "refused" : "done";
  }

  /** Flow events from now on. False if the peer is too old for that, refuses, or is gone. */
  watch(): Promise<boolean> {
    this.socket.ref();
    this.watching ??= this.startWatching();
    return this.watching;
  }

  /** Before 3.0 Open vSwitch does not know the request, and does not say so either: its answer would never come. */
  private async startWatching(): Promise<boolean> {
    const asked = this.number(1);
    const description = await this.ask(asked, messages.describe(asked));
    if (typeof description === "string" || isError(description)) return false;
    if (/^[0-2]\./.test(messages.softwareOf(description))) return false;
    const xid = this.number(1);
    const answer = await this.ask(xid, messages.watchFlows(xid));
    return typeof answer !== "string" && !isError(answer);
  }

  /** Called when a listener of flow events has gone: with the last one, the process may end. */
  unwatch(): void {
    if (this.listenerCount("flow") === 0) this.socket.unref();
  }

  close(): void {
    this.end(false);
    this.socket.destroy();
  }

  /** Takes `count` numbers for messages, and returns the first. Zero is for what nobody has asked for. */
  private number(count: number): number {
    const first = this.nextXid + count > 0xffffffff ? 1 : this.nextXid;
    this.nextXid = first + count;
    return first;
  }

  /** Sends, and waits for the first message with one of the numbers from `first` to `last` that `counts`. */
  private ask(
    first: number,
    request: Buffer,
    counts: (answer: Buffer) => boolean = () => true,
    last = first,
  ): Promise<Answer> {
    if (!this.open) return Promise.resolve("lost");
    return new Promise((resolve) => {
      const settle = (answer: Answer): void => {
        if (typeof answer !== "string" && !counts(answer)) return;
        clearTimeout(timer);
        this.waiting.delete(waiting);
        resolve(answer);
      };
      const waiting = { first, last, settle };
      const timer = setTimeout(() => {
        settle("timedOut");
        // What comes later would be taken for the answer to something else.
        this.socket.destroy();
      }, this.timeoutMilliseconds);
      this.waiting.add(waiting);
      this.socket.write(request);
    });
  }

  private split(chunk: Buffer): void {
    this.received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk]);
    while (this.received.length >= 8) {
      const length = this.received.readUInt16BE(2);
      if (length < 8) {
        this.reason = "it does not speak OpenFlow";
        this.socket.destroy();
        return;
      }
      if (this.received.length < length) return;
      const message = this.received.subarray(0, length);
      this.received = this.received.subarray(length);
      this.take(message);
    }
  }

  private take(message: Buffer): void {
    const type = message[1];
    const xid = type === messages.TYPE.hello ? 0 : message.readUInt32BE(4);
    if (type === messages.TYPE.echoRequest) this.socket.write(messages.echoReply(message));
    else for (const { first, last, settle } of [...this.waiting]) if (first <= xid && xid <= last) settle(message);
    if (type === messages.TYPE.multipartReply)
      for (const event of messages.flowEvents(message)) this.emit("flow", event);
  }

  private end(byPeer: boolean): void {
    if (!this.open) return;
    this.open = false;
    for (const { settle } of [...this.waiting]) settle("lost");
    if (byPeer) this.emit("close", this.reason);
  }
}

function isError(message: Buffer): boolean {
  return message[1] === messages.TYPE.error;
}

/** The first complaint, or the barrier's answer: nobody has complained. */
function isVerdict(message: Buffer): boolean {
  return isError(message) || message[1] === messages.TYPE.barrierReply;
}

function isCommitted(message: Buffer): boolean {
  return isError(message) || messages.isCommitReply(message);
}
