/** An OVSDB lock (RFC 7047, section 4.1.8-4.1.10). Made by Ovsdb.lock. */
import { EventEmitter } from "node:events";
import type { Operation } from "./operations";
import type { Result } from "../result";

interface Events {
  /** This client holds the lock now: it was free, its holder has released it or died. Not emitted by Ovsdb.lock itself. */
  acquired: [];
  /** The lock was stolen, or the connection ended. Stop acting at once. */
  lost: [];
}

interface Door {
  call(method: "lock" | "steal" | "unlock", onResult: (result: unknown) => void): Promise<Result<unknown>>;
  forget(): void;
}

export class Lock extends EventEmitter<Events> {
  /** True while this client holds the lock, as far as it knows; `assert` lets the server check it. */
  held = false;

  constructor(
    readonly name: string,
    private readonly door: Door,
  ) {
    super();
  }

  /** Makes a transaction fail unless this client still holds the lock: put it first (RFC 7047, section 5.2.9). */
  assert(): Operation {
    return { op: "assert", lock: this.name };
  }

  /** Gives the lock back, or leaves the queue for it. */
  async release(): Promise<Result<void>> {
    const answer = await this.door.call("unlock", () => (this.held = false));
    this.door.forget();
    return answer.ok ? { ok: true, value: undefined } : answer;
  }

  /** Called by Ovsdb: asks the server, the first time and after a reconnection. */
  request(method: "lock" | "steal"): Promise<Result<unknown>> {
    return this.door.call(method, (result) => {
      if ((result as { locked?: boolean }).locked) this.set(true);
    });
  }

  /** Called by Ovsdb when the server or the connection says so. */
  set(held: boolean): void {
    if (held === this.held) return;
    this.held = held;
    this.emit(held ? "acquired" : "lost");
  }
}
