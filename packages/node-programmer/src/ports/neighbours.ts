/**
 * Native tunnels of the userspace datapath: Open vSwitch routes them itself and drops copies as long as it does not know
 * the next hop's MAC address, for 19 s and more if nobody asks. So the way is looked up before the port is made, the
 * next hop resolved before the flows go in, and both looked after as long as the port lives.
 */
import { REASONS } from "@ovs-traffic-control/api";
import type { Appctl } from "ovs-ofctl-wrapper";
import type { OvsView } from "../ovs";
import type { Problem } from "../pods";
import type { HostNetwork } from "./host";

/** Milliseconds between looks at the kernel's neighbour table after having asked, and for how long. */
const LOOKS = [1, 2, 4, 8, 15, 30, 60, 120];

export interface NextHop {
  /** Bridge whose LOCAL port the packets leave through; also the kernel's device. */
  device: string;
  address: string;
}

/** `src 172.31.0.1\ngateway ::\ndev br-phy\n`; a gateway of zeros means that the address is on the link. */
export function parseRoute(text: string): { device: string; gateway: string | null } | null {
  const device = /^dev (\S+)/m.exec(text)?.[1];
  const gateway = /^gateway (\S+)/m.exec(text)?.[1]?.replace(/^::ffff:(?=\d+\.)/, "");
  if (device === undefined) return null;
  return { device, gateway: gateway === undefined || gateway === "::" || gateway === "0.0.0.0" ? null : gateway };
}

/** `tnl/neigh/show`: address → MAC address. */
export function parseNeighbours(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, address, mac] = /^(\S+)\s+([0-9a-f]{2}(?::[0-9a-f]{2}){5})\s/i.exec(line) ?? [];
    if (address !== undefined && mac !== undefined) found.set(address, mac.toLowerCase());
  }
  return found;
}

export class NextHops {
  /** What worked last, by device and address: after a restart Open vSwitch has forgotten all of it. */
  private readonly macs = new Map<string, string>();

  constructor(
    private readonly appctl: Appctl,
    private readonly host: HostNetwork,
  ) {}

  /** The way to an address as Open vSwitch sees it; null if it does not answer at all. */
  async towards(view: OvsView, remoteIP: string): Promise<NextHop | Problem | null> {
    const answer = await this.appctl.command("ovs-vswitchd", "ovs/route/lookup", remoteIP);
    // A refusal comes with what Open vSwitch said; without that nobody was there to say it.
    if (!answer.ok) return answer.error.stderr === "" ? null : noRoute(remoteIP, answer.error.message);
    const route = parseRoute(answer.value);
    if (!route) return noRoute(remoteIP, answer.value.trim());
    const local = view.bridges.some((bridge) =>
      bridge.ports.some((port) =>
        port.interfaces.some(({ name, type }) => name === route.device && type === "internal"),
      ),
    );
    if (!local) return noRoute(remoteIP, `its route leaves through ${route.device}, which is not a port of its own`);
    return { device: route.device, address: route.gateway ?? remoteIP };
  }

  /**
   * Lets Open vSwitch know the next hop; false if it does not answer (copies are lost until it does). `again`: also if
   * it is known already, because the next hop may have got another MAC address, or Open vSwitch be about to forget it.
   */
  async resolve(hop: NextHop, again: boolean): Promise<boolean> {
    const key = `${hop.device} ${hop.address}`;
    const shown = await this.appctl.command("ovs-vswitchd", "tnl/neigh/show");
    const known = shown.ok ? parseNeighbours(shown.value).get(hop.address) : undefined;
    if (known !== undefined && !again) {
      this.macs.set(key, known);
      return true;
    }
    const mac = (again ? undefined : this.macs.get(key)) ?? (await this.ask(hop, again));
    if (mac === undefined) return known !== undefined;
    this.macs.set(key, mac);
    return (await this.appctl.command("ovs-vswitchd", "tnl/neigh/set", hop.device, hop.address, mac)).ok;
  }

  private async ask({ address, device }: NextHop, again: boolean): Promise<string | undefined> {
    // The kernel verifies what it has, too, when it is told that the entry is in use; the next round sees the result.
    if (again) await this.host.askNeighbour(address, device);
    const mac = await this.host.neighbour(address, device);
    if (mac !== null) return mac;
    if (!again) await this.host.askNeighbour(address, device);
    for (const wait of LOOKS) {
      await new Promise((resolve) => setTimeout(resolve, wait));
      const found = await this.host.neighbour(address, device);
      if (found !== null) return found;
    }
    return undefined;
  }
}

function noRoute(remoteIP: string, why: string): Problem {
  return {
    reason: REASONS.noRoute,
    message:
      `Open vSwitch has no way to ${remoteIP}: ${why}. On the userspace datapath the node's address has to be on the ` +
      "LOCAL port of an Open vSwitch bridge; else attach a tunnel device of the kernel as device.",
  };
}
