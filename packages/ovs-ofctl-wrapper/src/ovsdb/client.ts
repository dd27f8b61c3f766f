/**
 * A client of ovsdb-server over db.sock (RFC 7047): transactions, local replicas, locks. It reconnects by itself, and then
 * brings replicas up to date and asks for its locks again. The door of this package for the database.
 */
import { EventEmitter } from "node:events";
import { JsonRpc } from "../jsonrpc";
import type { Reply } from "../jsonrpc";
import { DEFAULT_TIMEOUT_SECONDS, fail, ok } from "../result";
import type { OvsOptions, Result } from "../result";
import { Lock } from "./lock";
import type { Conditions, Operation, OperationResult } from "./operations";
import { failedOperation } from "./operations";
import { Replica } from "./replica";
import type { Columns, RowChange, TableUpdates, TableUpdates2 } from "./replica";
import type { Selection } from "./tables";
import { defaultOf, shapeOf } from "./values";
import type { Schema } from "./values";

const DATABASE = "Open_vSwitch";
const CONFIGURATION = { Open_vSwitch: ["cur_cfg"] } as const;
/** Milliseconds; ovsdb-server itself is back within some 100 ms of a restart. */
const FIRST_WAIT = 50;
const LONGEST_WAIT = 1000;

export interface OvsdbOptions extends OvsOptions {
  /** False: the first loss of the connection is final. Default true. */
  reconnect?: boolean;
}

interface Events {
  /** The connection was lost; open calls fail. Unless `reconnect` is false it is being tried again. */
  close: [reason: string];
  /** An attempt to reconnect failed; the next one follows after `waitMilliseconds`. */
  retry: [reason: string, waitMilliseconds: number];
  /** Connected again; replicas have been brought up to date (their callbacks were called) and locks asked for. */
  reconnect: [];
}

interface Monitor {
  replica: Replica<Selection>;
  /** undefined: every row. */
  where: Conditions<Selection> | undefined;
  onChange: (changes: RowChange<Selection>[]) => void;
}

export class Ovsdb extends EventEmitter<Events> {
  private rpc: JsonRpc | null = null;
  private schema: Schema = { version: "", tables: {} };
  private closed = false;
  private timer: NodeJS.Timeout | null = null;
  private nextMonitor = 0;
  private readonly monitors = new Map<string, Monitor>();
  private readonly locks = new Map<string, Lock>();
  private configuration: Promise<Result<Replica<typeof CONFIGURATION>>> | null = null;
  private readonly configurationWaiters = new Set<() => void>();

  private constructor(private readonly options: OvsdbOptions) {
    super();
  }

  /** Connects once; rejects with the reason if ovsdb-server does not answer. Later losses are handled as the options say. */
  static async connect(options: OvsdbOptions): Promise<Ovsdb> {
    const client = new Ovsdb(options);
    await client.open();
    return client;
  }

  /** False between `close` and `reconnect`. */
  get connected(): boolean {
    return this.rpc !== null;
  }

  /**
   * Runs the operations in one transaction: all of them or none. The error of a refused one says which, and why.
   * A lost connection leaves it open whether the transaction took place: write operations so that repeating is harmless.
   */
  async transact(operations: readonly Operation[]): Promise<Result<OperationResult[]>> {
    const command = `ovsdb transact ${operations.map(({ op, ...rest }) => `${op} ${"table" in rest ? rest.table : ""}`.trim()).join(", ")}`;
    const reply = await this.call(command, "transact", [DATABASE, ...operations]);
    if (!reply.ok) return reply;
    const results = reply.value as OperationResult[];
    const failure = failedOperation(operations, results);
    return failure ? fail(command, failure.message, { stderr: JSON.stringify(failure.result) }) : ok(results);
  }

  /**
   * Keeps a replica of the chosen columns; `onChange` is called with every later change (one call per transaction), not
   * with the initial rows. After a reconnection it is called with the difference to before.
   *
   * `where`: only rows that meet one of their table's conditions, all rows of a table without any. A row that no longer
   * does is a deleted one. The server sorts them out (monitor_cond, ovsdb-server(7)).
   */
  async monitor<const S extends Selection>(
    selection: S,
    onChange: (changes: RowChange<S>[]) => void = () => undefined,
    where?: Conditions<S>,
  ): Promise<Result<Replica<S>>> {
    const replica = new Replica(selection, this.columns);
    const id = `m${this.nextMonitor++}`;
    const monitor = { replica, onChange, where } as unknown as Monitor;
    this.monitors.set(id, monitor);
    const started = await this.startMonitor(id, monitor, false);
    if (started.ok) return ok(replica);
    this.monitors.delete(id);
    return started;
  }

  /**
   * Asks for a lock (RFC 7047, section 4.1.8). At most one client holds it; the server releases it when its holder's
   * connection ends, and gives it to the next in the queue. The name must be an identifier (letters, digits, _).
   */
  async lock(name: string, mode: "lock" | "steal" = "lock"): Promise<Result<Lock>> {
    const lock = new Lock(name, {
      call: (method, onResult) => this.call(`ovsdb ${method} ${name}`, method, [name], onResult),
      forget: () => this.locks.delete(name),
    });
    this.locks.set(name, lock);
    const answer = await lock.request(mode);
    if (answer.ok) return ok(lock);
    this.locks.delete(name);
    return answer;
  }

  /**
   * Runs the operations and waits until ovs-vswitchd has acted on them (next_cfg is incremented in the same transaction,
   * ovs-vswitchd answers by cur_cfg). An error with timedOut after the transaction means: stored, but vswitchd is not there.
   */
  async transactAndWait(operations: readonly Operation[]): Promise<Result<OperationResult[]>> {
    const bump: Operation[] = [
      { op: "mutate", table: "Open_vSwitch", where: [], mutations: [["next_cfg", "+=", 1]] },
      { op: "select", table: "Open_vSwitch", where: [], columns: ["next_cfg"] },
    ];
    const watch = await this.watchConfiguration();
    if (!watch.ok) return watch;
    const done = await this.transact([...operations, ...bump]);
    if (!done.ok) return done;
    const wanted = Number(done.value[operations.length + 1]?.rows?.[0]?.["next_cfg"]);
    const reached = await this.waitForConfiguration(watch.value, wanted);
    return reached.ok ? ok(done.value.slice(0, operations.length)) : reached;
  }

  /** Ends the connection, and with it the locks. No event is emitted after that. */
  close(): void {
    this.closed = true;
    if (this.timer) clearTimeout(this.timer);
    this.rpc?.close();
    this.rpc = null;
    for (const lock of this.locks.values()) lock.set(false);
  }

  private get timeout(): number {
    return (this.options.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS) * 1000;
  }

  private readonly columns: Columns = {
    shape: (table, column) => shapeOf(this.schema.tables[table]?.columns[column]),
    empty: (table, column) => defaultOf(this.schema.tables[table]?.columns[column]),
  };

  private async open(): Promise<void> {
    const path = `${this.options.runDir}/db.sock`;
    const rpc = await JsonRpc.connect(path).catch((error: unknown) => {
      throw new Error(`ovsdb-server at ${path}: ${(error as Error).message}. Is Open vSwitch running on this node?`);
    });
    const reply = await rpc.call("get_schema", [DATABASE], this.timeout);
    if (this.closed || !("result" in reply)) {
      rpc.close();
      throw new Error(`ovsdb-server at ${path} did not answer get_schema: ${JSON.stringify(reply)}`);
    }
    rpc.onNotification = (method, params) => {
      this.notified(method, params);
    };
    rpc.onClose = (reason) => {
      this.lost(reason);
    };
    this.schema = reply.result as Schema;
    this.rpc = rpc;
  }

  private async call(
    command: string,
    method: string,
    params: unknown[],
    onResult?: (result: unknown) => void,
  ): Promise<Result<unknown>> {
    if (!this.rpc) return fail(command, "not connected to ovsdb-server");
    return asResult(command, await this.rpc.call(method, params, this.timeout, onResult), this.timeout);
  }

  /** `again`: after a reconnection; what differs from before is a change. */
  private startMonitor(id: string, monitor: Monitor, again: boolean): Promise<Result<unknown>> {
    const { replica, where } = monitor;
    const requests = Object.fromEntries(
      Object.entries(replica.selection).map(([table, columns]) => {
        const conditions = where?.[table as keyof typeof where];
        return [table, conditions ? [{ columns, where: conditions }] : [{ columns }]];
      }),
    );
    const method = where ? "monitor_cond" : "monitor";
    const command = `ovsdb ${method} ${Object.keys(requests).join(", ")}`;
    return this.call(command, method, [DATABASE, id, requests], (initial) => {
      const changes = where
        ? replica.applyDifferences(initial as TableUpdates2, true)
        : replica.apply(initial as TableUpdates, true);
      if (again && changes.length > 0) monitor.onChange(changes);
    });
  }

  private notified(method: string, params: unknown): void {
    const [id, updates] = params as [string, TableUpdates & TableUpdates2];
    if (method === "update" || method === "update2") {
      const monitor = this.monitors.get(id);
      if (!monitor) return;
      const { replica, onChange } = monitor;
      const changes = method === "update" ? replica.apply(updates) : replica.applyDifferences(updates);
      if (changes.length > 0) onChange(changes);
    } else if (method === "locked") this.locks.get(id)?.set(true);
    else if (method === "stolen") this.locks.get(id)?.set(false);
  }

  private lost(reason: string): void {
    this.rpc = null;
    for (const lock of this.locks.values()) lock.set(false);
    this.emit("close", reason);
    if (this.options.reconnect !== false) this.retry(FIRST_WAIT);
  }

  private retry(wait: number): void {
    if (this.closed) return;
    this.timer = setTimeout(() => {
      void this.reopen(Math.min(wait * 2, LONGEST_WAIT));
    }, wait);
  }

  private async reopen(nextWait: number): Promise<void> {
    try {
      await this.open();
    } catch (error) {
      if (this.closed) return;
      this.emit("retry", (error as Error).message, nextWait);
      this.retry(nextWait);
      return;
    }
    for (const [id, monitor] of this.monitors) await this.startMonitor(id, monitor, true);
    for (const lock of this.locks.values()) await lock.request("lock");
    if (this.connected) this.emit("reconnect");
  }

  private watchConfiguration(): Promise<Result<Replica<typeof CONFIGURATION>>> {
    this.configuration ??= this.monitor(CONFIGURATION, () => {
      for (const look of this.configurationWaiters) look();
    }).then((result) => {
      if (!result.ok) this.configuration = null;
      return result;
    });
    return this.configuration;
  }

  private waitForConfiguration(replica: Replica<typeof CONFIGURATION>, wanted: number): Promise<Result<void>> {
    return new Promise((resolve) => {
      const end = (result: Result<void>): void => {
        clearTimeout(timer);
        this.configurationWaiters.delete(look);
        resolve(result);
      };
      const look = (): void => {
        for (const { cur_cfg } of replica.rows("Open_vSwitch").values()) if (cur_cfg >= wanted) end(ok(undefined));
      };
      const timer = setTimeout(() => {
        const seconds = this.timeout / 1000;
        const message = `stored, but ovs-vswitchd has not acted on it within ${seconds} s (cur_cfg < ${wanted}): is it running?`;
        end(fail("ovsdb wait for cur_cfg", message, { timedOut: true }));
      }, this.timeout);
      this.configurationWaiters.add(look);
      look();
    });
  }
}

function asResult(command: string, reply: Reply, timeout: number): Result<unknown> {
  if ("result" in reply) return ok(reply.result);
  if ("lost" in reply) return fail(command, `the connection to ovsdb-server was lost: ${reply.lost}`);
  if ("timedOut" in reply)
    return fail(command, `no answer from ovsdb-server within ${timeout / 1000} s`, { timedOut: true });
  const stderr = JSON.stringify(reply.error);
  return fail(command, `ovsdb-server refused: ${stderr}`, { stderr });
}
