/** The held connections of one Open vSwitch instance, one for each bridge at most. Owned by OpenFlow. */
import { DEFAULT_TIMEOUT_SECONDS } from "./result";
import type { OvsOptions } from "./result";
import { Connection } from "./wire/connection";

export class Connections {
  private readonly open = new Map<string, Promise<Connection>>();

  constructor(private readonly options: OvsOptions) {}

  /** The bridge's connection, opened if there is none. Rejects with the reason; the next call tries again. */
  to(bridge: string): Promise<Connection> {
    const existing = this.open.get(bridge);
    if (existing) return existing;
    const timeout = (this.options.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS) * 1000;
    const opening = Connection.open(`${this.options.runDir}/${bridge}.mgmt`, timeout);
    this.open.set(bridge, opening);
    const forget = (): void => {
      if (this.open.get(bridge) === opening) this.open.delete(bridge);
    };
    opening.then((connection) => {
      if (connection.alive) connection.once("close", forget);
      else forget();
    }, forget);
    return opening;
  }

  close(): void {
    for (const opening of this.open.values())
      opening.then(
        (connection) => {
          connection.close();
        },
        () => undefined,
      );
    this.open.clear();
  }
}
