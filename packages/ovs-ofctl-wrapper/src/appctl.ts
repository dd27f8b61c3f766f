/** Commands to the daemons through their control sockets (ovs-appctl(8)), without a process for each. */
import { readFile } from "node:fs/promises";
import { JsonRpc } from "./jsonrpc";
import { DEFAULT_TIMEOUT_SECONDS, fail, ok } from "./result";
import type { OvsOptions, Result } from "./result";

export type Daemon = "ovs-vswitchd" | "ovsdb-server";

export class Appctl {
  constructor(private readonly options: OvsOptions) {}

  /** Runs a command such as `ovs/route/lookup 10.0.10.2` and returns what the daemon prints. Its refusal is an error. */
  async command(daemon: Daemon, name: string, ...args: string[]): Promise<Result<string>> {
    const command = `ovs-appctl -t ${daemon} ${[name, ...args].join(" ")}`;
    const { runDir } = this.options;
    const timeout = (this.options.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS) * 1000;
    let peer: JsonRpc;
    try {
      const pid = (await readFile(`${runDir}/${daemon}.pid`, "utf8")).trim();
      peer = await JsonRpc.connect(`${runDir}/${daemon}.${pid}.ctl`);
    } catch (error) {
      return fail(command, `${daemon} cannot be reached in ${runDir}: ${(error as Error).message}`);
    }
    const reply = await peer.call(name, args, timeout);
    peer.close();
    if ("result" in reply) return ok(String(reply.result));
    if ("lost" in reply) return fail(command, `${daemon} ended the connection: ${reply.lost}`);
    if ("timedOut" in reply)
      return fail(command, `no answer from ${daemon} within ${timeout / 1000} s`, { timedOut: true });
    const stderr = String(reply.error).trim();
    return fail(command, stderr, { stderr });
  }
}
