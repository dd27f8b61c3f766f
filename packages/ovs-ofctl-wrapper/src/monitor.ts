/**
 * A held OpenFlow connection to one bridge. A restart of ovs-vswitchd, and set-controller or set-fail-mode, wipe flows
 * without any trace in OVSDB; this connection sees both: it ends with the daemon, and it carries flow events.
 */
import { EventEmitter } from "node:events";
import type { Connections } from "./connections";
import { VersionRefused } from "./wire/connection";
import type { Connection } from "./wire/connection";

/** A change of the bridge's flows, by anyone on another connection. Bundles of the same OpenFlow object are on this one. */
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
  /** The connection was lost. It is being tried again by itself. */
  down: [reason: string];
  /** The bridge's socket is there, but the monitor was refused or ended at once; it is being tried again. */
  refused: [reason: string];
  flow: [event: FlowEvent];
  /** close() was called; for iterators. */
  closed: [];
}

/** The events as values, for `for await`. */
export type MonitorEvent =
  | { kind: "up" }
  | { kind: "down"; reason: string }
  | { kind: "refused"; reason: string }
  | ({ kind: "flow" } & FlowEvent);

/** Another way to watch, where OpenFlow 1.5 or its flow monitors are missing. Returns what ends it; no call follows after that. */
export type OtherWay = (on: Watcher) => () => void;

export interface Watcher {
  up: () => void;
  flow: (event: FlowEvent) => void;
  /** It ended by itself. */
  end: (reason: string) => void;
}

/** Milliseconds between looks at the bridge's socket: short at first, because packets pass unmirrored until it is back. */
const FAST = { interval: 10, tries: 500 };
const SLOW_INTERVAL = 200;

export class ConnectionMonitor extends EventEmitter<Events> {
  /** True between `up` and `down`. */
  connected = false;
  private timer: NodeJS.Timeout | null = null;
  private release: () => void = () => undefined;
  private closed = false;

  /** Starts at once; listeners attached in the same tick miss nothing. Use OpenFlow.monitor. */
  constructor(
    readonly bridge: string,
    private readonly connections: Connections,
    private readonly otherWay: OtherWay,
  ) {
    super();
    this.lookIn(0, 0);
  }

  /** Ends the connection's watch and all attempts. No event is emitted after that; iterators end. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.connected = false;
    if (this.timer) clearTimeout(this.timer);
    this.release();
    this.emit("closed");
  }

  /** `for await (const event of monitor)`: every event from now on, in order, until close(). Events wait in memory. */
  async *[Symbol.asyncIterator](): AsyncGenerator<MonitorEvent, void, void> {
    const queue: MonitorEvent[] = [];
    let wake: () => void = () => undefined;
    const push = (event: MonitorEvent): void => {
      queue.push(event);
      wake();
    };
    const listeners = {
      up: () => {
        push({ kind: "up" });
      },
      down: (reason: string) => {
        push({ kind: "down", reason });
      },
      refused: (reason: string) => {
        push({ kind: "refused", reason });
      },
      flow: (event: FlowEvent) => {
        push({ kind: "flow", ...event });
      },
      closed: () => {
        wake();
      },
    };
    const names = Object.keys(listeners) as (keyof typeof listeners)[];
    for (const name of names) this.on(name, listeners[name]);
    try {
      for (;;) {
        yield* queue.splice(0);
        if (this.isClosed()) return;
        if (queue.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      for (const name of names) this.removeListener(name, listeners[name]);
    }
  }

  /** A method, so that the type checker does not remember its answer. */
  private isClosed(): boolean {
    return this.closed;
  }

  private lookIn(milliseconds: number, tries: number): void {
    this.timer = setTimeout(() => {
      void this.look(tries);
    }, milliseconds);
  }

  private async look(tries: number): Promise<void> {
    let connection: Connection | null = null;
    try {
      connection = await this.connections.to(this.bridge);
    } catch (error) {
      if (this.isClosed()) return;
      if (!(error instanceof VersionRefused)) {
        this.lookIn(tries < FAST.tries ? FAST.interval : SLOW_INTERVAL, tries + 1);
        return;
      }
    }
    if (this.isClosed()) return;
    this.release = connection ? this.hold(connection) : this.otherWay(this.watcher());
  }

  /** Watches on our own connection. Before Open vSwitch 3.0 that tells of the daemon only: of flows, if anything, the other way. */
  private hold(connection: Connection): () => void {
    const { up, flow, end } = this.watcher();
    let stopOther = (): void => undefined;
    const release = (): void => {
      stopOther();
      connection.removeListener("flow", flow);
      connection.removeListener("close", lost);
      connection.unwatch();
    };
    const lost = (reason: string): void => {
      release();
      end(reason);
    };
    connection.on("flow", flow);
    connection.on("close", lost);
    if (!connection.alive) lost("closed by ovs-vswitchd");
    void connection.watch().then((watching) => {
      if (this.closed || !connection.alive) return;
      if (watching) {
        up();
        return;
      }
      let watched = false;
      const theirs = (): void => {
        watched = true;
        up();
      };
      const ended = (reason: string): void => {
        if (watched) lost(reason);
        else if (connection.alive) up();
      };
      stopOther = this.otherWay({ up: theirs, flow, end: ended });
    });
    return release;
  }

  private watcher(): Watcher {
    return {
      up: () => {
        if (this.closed || this.connected) return;
        this.connected = true;
        this.emit("up");
      },
      flow: (event) => {
        if (!this.closed) this.emit("flow", event);
      },
      end: (reason) => {
        if (this.closed) return;
        this.release = () => undefined;
        const was = this.connected;
        this.connected = false;
        this.emit(was ? "down" : "refused", reason);
        this.lookIn(was ? 0 : SLOW_INTERVAL, 0);
      },
    };
  }
}
