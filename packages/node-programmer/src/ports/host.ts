/**
 * The node's own network, seen and changed through ip(8) and /proc: links of internal ports, devices, neighbours. The
 * process runs in the node's network namespace. Called by the effects of this room.
 */
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { isIPv6 } from "node:net";
import type { PathMtu } from "./mtu";

/** What decides whether a device may be used as a target. */
export interface HostLink {
  name: string;
  /** Device that it is enslaved to, null for none. */
  master: string | null;
  /** Addresses of global scope. */
  addresses: readonly string[];
  loopback: boolean;
}

/** A tunnel device of the kernel that takes what arrives on its UDP port. */
export interface KernelTunnel {
  name: string;
  kind: "vxlan" | "geneve";
  udpPort: number;
}

/** Flags of a link (include/uapi/linux/if.h). */
const IFF_UP = 0x1;
/** PROMISC and ALLMULTI: the kernel shows its own use of them, and would take that for ours if it were written back. */
const COUNTED = 0x300;

interface LinkJson {
  ifname?: string;
  master?: string;
  flags?: string[];
  addr_info?: { scope?: string; local?: string }[];
  linkinfo?: { info_data?: { port?: number } };
}

export class HostNetwork {
  /** null if there is no such device. */
  async link(name: string): Promise<HostLink | null> {
    const output = await ip(["-j", "addr", "show", "dev", name]);
    if (!output.ok) return null;
    const [link] = parse<LinkJson>(output.text);
    if (!link?.ifname) return null;
    return {
      name,
      master: link.master ?? null,
      addresses: (link.addr_info ?? []).flatMap(({ scope, local }) => (scope === "global" && local ? [local] : [])),
      loopback: link.flags?.includes("LOOPBACK") ?? false,
    };
  }

  /** Sets the link up, after taking IPv6 off it: the kernel must not speak on a port that is for copies. */
  async linkUp(name: string): Promise<string | null> {
    await writeFile(`/proc/sys/net/ipv6/conf/${name}/disable_ipv6`, "1").catch(() => undefined);
    if (await upBySysfs(name)) return null;
    const output = await ip(["link", "set", "dev", name, "up"]);
    return output.ok ? null : output.text;
  }

  /** VXLAN and Geneve devices of the kernel, a CNI's overlay for example. */
  async kernelTunnels(kind: KernelTunnel["kind"]): Promise<KernelTunnel[]> {
    const output = await ip(["-j", "-d", "link", "show", "type", kind]);
    if (!output.ok) return [];
    return parse<LinkJson>(output.text).flatMap(({ ifname, linkinfo }) => {
      const udpPort = linkinfo?.info_data?.port;
      return ifname === undefined || udpPort === undefined ? [] : [{ name: ifname, kind, udpPort }];
    });
  }

  /** Where packets to an address leave the node, and how long they may be; null if the kernel has no route. */
  async pathMtu(address: string): Promise<PathMtu | null> {
    const route = await ip(["-j", "route", "get", address]);
    const [found] = route.ok ? parse<{ dev?: string; metrics?: { mtu?: number }[] }>(route.text) : [];
    if (found?.dev === undefined) return null;
    const link = await ip(["-j", "link", "show", "dev", found.dev]);
    const [device] = link.ok ? parse<{ mtu?: number }>(link.text) : [];
    const mtu = found.metrics?.find((metric) => metric.mtu !== undefined)?.mtu ?? device?.mtu;
    return mtu === undefined ? null : { device: found.dev, mtu };
  }

  /** MAC address that the kernel has for an address on a link; null if it has none that is valid. */
  async neighbour(address: string, device: string): Promise<string | null> {
    const output = await ip([isIPv6(address) ? "-6" : "-4", "-j", "neigh", "show", address, "dev", device]);
    if (!output.ok) return null;
    const [entry] = parse<{ lladdr?: string; state?: string[] }>(output.text);
    const failed = entry?.state?.some((state) => state === "FAILED" || state === "INCOMPLETE") ?? true;
    return failed ? null : (entry?.lladdr ?? null);
  }

  /** Makes the kernel ask for a neighbour (ARP or neighbour solicitation) without sending the neighbour anything else. */
  async askNeighbour(address: string, device: string): Promise<void> {
    await ip([isIPv6(address) ? "-6" : "-4", "neigh", "replace", address, "dev", device, "use"]);
  }
}

/** Without a process, which takes as long as making the port. False where /sys may not be written. */
async function upBySysfs(name: string): Promise<boolean> {
  const file = `/sys/class/net/${name}/flags`;
  try {
    const flags = Number(await readFile(file, "utf8"));
    await writeFile(file, `0x${((flags & ~COUNTED) | IFF_UP).toString(16)}`);
    return true;
  } catch {
    return false;
  }
}

function ip(args: readonly string[]): Promise<{ ok: boolean; text: string }> {
  return new Promise((resolve) => {
    execFile("ip", args, { timeout: 5000, env: { ...process.env, LC_ALL: "C" } }, (error, stdout, stderr) => {
      resolve(error ? { ok: false, text: stderr.trim() || error.message } : { ok: true, text: stdout });
    });
  });
}

/** `ip -j` prints `[{},{…}]` for links that it filters out, and nothing at all for an empty list. */
function parse<T>(text: string): T[] {
  return text.trim() === "" ? [] : (JSON.parse(text) as T[]);
}
