/**
 * A way to a node's Open vSwitch on which bundles can be held back: a run directory like the node's own, but for the bridge's
 * management socket, behind which somebody takes a break. What a programmer that uses it has checked before may not be true
 * any more when its bundle arrives. Used by the packet tests of the lock.
 */
import { once } from "node:events";
import { mkdir, symlink } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";
import path from "node:path";
import type { LabNode } from "./node";

/** OFPT_BUNDLE_CONTROL (OpenFlow 1.5, sections 7.1.1 and 7.3.9). */
const BUNDLE_CONTROL = 33;
const COMMIT_REQUEST = 4;

/** One request at a time, as the client does it: a commit is all that it writes. */
function isCommit(chunk: Buffer): boolean {
  return chunk[1] === BUNDLE_CONTROL && chunk.readUInt16BE(12) === COMMIT_REQUEST;
}

export class HeldWay {
  private holding = false;
  private readonly held: (() => Promise<unknown>)[] = [];
  private readonly sockets = new Set<Socket>();

  private constructor(
    /** For OVS_RUNDIR. */
    readonly runDir: string,
    private readonly server: Server,
  ) {}

  static async to(node: LabNode, bridge = "br-int"): Promise<HeldWay> {
    const runDir = path.join(node.runDir, "held");
    await mkdir(runDir);
    const daemon = `ovs-vswitchd.${readFileSync(`${node.runDir}/ovs-vswitchd.pid`, "utf8").trim()}.ctl`;
    for (const file of ["db.sock", "ovs-vswitchd.pid", daemon])
      await symlink(path.join(node.runDir, file), path.join(runDir, file));
    const server = createServer();
    const way = new HeldWay(runDir, server);
    server.on("connection", (client) => {
      way.join(client, path.join(node.runDir, `${bridge}.mgmt`));
    });
    await new Promise<void>((resolve) => server.listen(path.join(runDir, `${bridge}.mgmt`), resolve));
    return way;
  }

  /** From now on a bundle's last word, which puts it in force, goes no further than here. */
  hold(): void {
    this.holding = true;
  }

  get isHolding(): boolean {
    return this.held.length > 0;
  }

  /** Lets through what was held back, and everything after it; resolves when Open vSwitch has answered, whoever hears it. */
  async release(): Promise<void> {
    this.holding = false;
    await Promise.all(this.held.splice(0).map((pass) => pass()));
  }

  close(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private join(client: Socket, target: string): void {
    const bridge = connect(target);
    for (const socket of [client, bridge]) {
      this.sockets.add(socket);
      socket.on("error", () => undefined);
    }
    bridge.on("data", (chunk: Buffer) => {
      if (client.writable) client.write(chunk);
    });
    let stopped = false;
    client.on("close", () => {
      if (!stopped) bridge.end();
    });
    client.on("data", (chunk: Buffer) => {
      stopped ||= this.holding && isCommit(chunk);
      if (!stopped) bridge.write(chunk);
      else
        this.held.push(() => {
          stopped = false;
          const answered = once(bridge, "data");
          bridge.write(chunk);
          if (client.destroyed) bridge.end();
          return answered;
        });
    });
  }
}
