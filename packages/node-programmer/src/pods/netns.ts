/**
 * Looks into the Pods' network namespaces, which the node shares with us under one directory. Called when a Pod's port
 * is new; answers are kept per port row, because a row is one interface of one sandbox.
 */
import { execFile } from "node:child_process";
import { statSync } from "node:fs";
import path from "node:path";
import type { Attachment } from "./dialect";

/** Spawns at a time: a node with 250 new Pods must not start 250 processes at once. */
const PARALLEL = 8;

export class PodNamespaces {
  /** What is known, and what has been asked for. */
  private readonly macs = new Map<string, string | Promise<string | null>>();
  private readonly waiting: (() => void)[] = [];
  private running = 0;

  /** `directory`: where the node's /run/netns is seen from here. */
  constructor(private readonly directory: string) {}

  /** Time of creation in milliseconds; null if it does not exist (any more). */
  age = (netns: string): number | null => {
    try {
      return statSync(this.here(netns)).ctimeMs;
    } catch {
      return null;
    }
  };

  /** MAC address of the Pod's end of the port, lower case; null if it cannot be read. */
  mac({ port, iface, netns }: Attachment): string | null | Promise<string | null> {
    if (netns === null || iface === "") return null;
    const known = this.macs.get(port.uuid);
    if (known !== undefined) return known;
    const asked = this.ask(this.here(netns), iface).then((mac) => {
      // Forgotten, or asked again, meanwhile.
      if (this.macs.get(port.uuid) !== asked) return mac;
      // None is no answer to keep: the interface may not have been there yet.
      if (mac === null) this.macs.delete(port.uuid);
      else this.macs.set(port.uuid, mac);
      return mac;
    });
    this.macs.set(port.uuid, asked);
    return asked;
  }

  /** Asks again the next time. */
  forget(uuid: string): void {
    this.macs.delete(uuid);
  }

  /** Forgets what is known of ports that are gone. */
  keepOnly(uuids: ReadonlySet<string>): void {
    for (const uuid of this.macs.keys()) if (!uuids.has(uuid)) this.macs.delete(uuid);
  }

  /** The CNI's path is one of the node's, /var/run/netns/NAME or /run/netns/NAME; only the name is the same here. */
  private here(netns: string): string {
    return path.join(this.directory, path.basename(netns));
  }

  private async ask(file: string, iface: string): Promise<string | null> {
    if (this.running >= PARALLEL) await new Promise<void>((resolve) => this.waiting.push(resolve));
    this.running++;
    try {
      return await new Promise((resolve) => {
        const args = [`--net=${file}`, "ip", "-j", "link", "show", "dev", iface];
        execFile("nsenter", args, { timeout: 5000 }, (error, stdout) => {
          resolve(error ? null : macIn(stdout));
        });
      });
    } finally {
      this.running--;
      this.waiting.shift()?.();
    }
  }
}

function macIn(stdout: string): string | null {
  try {
    const [link] = JSON.parse(stdout) as { address?: string }[];
    return link?.address?.toLowerCase() ?? null;
  } catch {
    return null;
  }
}
