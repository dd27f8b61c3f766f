/**
 * A held OpenFlow connection to one bridge. A restart of ovs-vswitchd, and set-controller or set-fail-mode, wipe flows
 * without any trace in OVSDB; this connection sees both: it ends with the daemon, and it carries flow events.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { EventEmitter } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { environment } from "./run";
import type { OvsOptions } from "./result";

/** A change of the bridge's flows, by anyone on another connection, oneself included. */
export interface FlowEvent {
  event: "ADDED" | "DELETED" | "MODIFIED";
  /** Why a flow was deleted: `delete`, `idle`, `hard`, `eviction`…; absent for other events. */
  reason?: string;
  table: number;
  cookie: bigint;
}

interface Events {
  /** The connection stands, for the first time or again: flows may have been lost in between. */
  up: [];
  /** The connection was lost; the reason is what ovs-ofctl said last. It is being tried again by itself. */
  down: [reason: string];
  /** The bridge's socket is there, but the monitor was refused or ended at once; it is being tried again. */
  refused: [reason: string];
  flow: [event: FlowEvent];
}

/** Milliseconds between looks at the bridge's socket: short at first, because packets pass unmirrored until it is back. */
const FAST = { interval: 10, tries: 500 };
const SLOW_INTERVAL = 200;

export class ConnectionMonitor extends EventEmitter<Events> {
  /** True between `up` and `down`. */
  connected = false;
  private child: ChildProcess | null = null;
  private timer: NodeJS.Timeout | null = null;
  private closed = false;

  /** Starts at once; listeners attached in the same tick miss nothing. Use OpenFlow.monitor. */
  constructor(
    private readonly options: OvsOptions,
    readonly bridge: string,
    private readonly target: string,
    private readonly versions: string,
  ) {
    super();
    this.timer = setTimeout(() => {
      this.look(0);
    }, 0);
  }

  /** Ends the connection and all attempts. No event is emitted after that. */
  close(): void {
    this.closed = true;
    this.connected = false;
    if (this.timer) clearTimeout(this.timer);
    this.child?.kill();
  }

  /** Asks the socket itself whether anybody listens: cheaper than starting a process every few milliseconds. */
  private look(tries: number): void {
    if (this.closed) return;
    const socket = connect({ path: this.target.slice("unix:".length) });
    socket.once("connect", () => {
      socket.destroy();
      this.start();
    });
    socket.once("error", () => {
      const wait = tries < FAST.tries ? FAST.interval : SLOW_INTERVAL;
      this.timer = setTimeout(() => {
        this.look(tries + 1);
      }, wait);
    });
  }

  private start(): void {
    if (this.closed) return;
    const flags = ["-O", this.versions, "--no-names", "--unixctl=none"];
    const args = [...flags, "--", "monitor", this.target, "watch:!initial"];
    const child = spawn("ovs-ofctl", args, {
      env: environment(this.options),
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child = child;
    let last = "";
    // The answer to the monitor request is printed to standard output, later messages to standard error.
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line.includes("FLOW_MONITOR reply")) this.answered();
    });
    createInterface({ input: child.stderr }).on("line", (line) => {
      const event = parseFlowEvent(line);
      if (event && !this.closed) this.emit("flow", event);
      else if (line.startsWith("ovs-ofctl:")) last = line;
    });
    child.once("error", (error) => (last = error.message));
    child.once("close", () => {
      this.child = null;
      if (this.closed) return;
      const was = this.connected;
      this.connected = false;
      this.emit(was ? "down" : "refused", last || "the connection was closed");
      this.timer = setTimeout(
        () => {
          this.look(0);
        },
        was ? 0 : SLOW_INTERVAL,
      );
    });
  }

  private answered(): void {
    if (this.closed || this.connected) return;
    this.connected = true;
    this.emit("up");
  }
}

/** One event line of `ovs-ofctl monitor BR watch:`; null for any other line. */
export function parseFlowEvent(line: string): FlowEvent | null {
  const found = /^ *event=(ADDED|DELETED|MODIFIED)(?: reason=(\w+))? table=(\d+)(?: \w+=\d+)* cookie=(\w+)/.exec(line);
  if (!found) return null;
  const event: FlowEvent = {
    event: found[1] as FlowEvent["event"],
    table: Number(found[3]),
    cookie: BigInt(found[4]!),
  };
  if (found[2]) event.reason = found[2];
  return event;
}
