/**
 * What stands where a user's analyser would: a network namespace behind the cluster's machine, with an address that
 * the nodes reach through their default route. Used by the end-to-end tests, the benchmarks and the demo.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Cluster } from "../../../hack/cluster";
import { Capture } from "../capture";
import type { DecodeOptions } from "../decode";

/** The collector of the documentation's examples. */
export const COLLECTOR_ADDRESS = "10.0.10.2";

let opened = 0;

export class Collector {
  private readonly captures = new Set<Capture>();

  private constructor(
    readonly address: string,
    /** Command prefix for processes inside it. */
    readonly enter: string[],
    private readonly holder: ChildProcess,
  ) {}

  /**
   * The namespace has no name: a process holds it that ends when its standard input does, so neither it nor its
   * device outlives this process, however that ends.
   */
  static async open(cluster: Cluster, address = COLLECTOR_ADDRESS): Promise<Collector> {
    const device = `col${process.pid.toString(36)}-${(opened++).toString(36)}`;
    const holder = spawn("unshare", ["--net", "sh", "-c", "ip link set lo up && echo up && exec cat"], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const [line] = (await once(holder.stdout, "data")) as [Buffer];
    const enter = ["nsenter", "--target", String(holder.pid), "--net"];
    const collector = new Collector(address, enter, holder);
    try {
      if (line.toString().trim() !== "up")
        throw new Error(`The collector's namespace did not start: ${line.toString()}`);
      await collector.join(cluster, device);
    } catch (error) {
      await collector.close();
      throw error;
    }
    return collector;
  }

  /** The whole namespace, if no filter is given. */
  async capture(options: { filter?: string } & DecodeOptions = {}): Promise<Capture> {
    const capture = await Capture.start({ ...options, enter: this.enter, device: "eth0" });
    this.captures.add(capture);
    return capture;
  }

  async close(): Promise<void> {
    await Promise.all([...this.captures].map((capture) => capture.discard()));
    if (this.holder.exitCode !== null) return;
    const exited = once(this.holder, "exit");
    this.holder.stdin?.end();
    await exited;
  }

  /**
   * A point-to-point link to the machine. No route back and no neighbour to resolve: the collector stays silent (no
   * "port unreachable" for the tunnels it does not speak), and the first packet is not the one that waits for ARP.
   */
  private async join(cluster: Cluster, device: string): Promise<void> {
    const mac = "02:00:00:00:0a:02";
    await command(cluster, "ip", [
      ...["link", "add", device, "type", "veth"],
      ...["peer", "name", "eth0", "address", mac, "netns", String(this.holder.pid)],
    ]);
    await command(cluster, "ip", ["link", "set", device, "addrgenmode", "none", "up"]);
    await inside(cluster, this.enter, ["ip", "link", "set", "eth0", "addrgenmode", "none", "up"]);
    await inside(cluster, this.enter, ["ip", "address", "add", `${this.address}/32`, "dev", "eth0"]);
    await command(cluster, "ip", ["neigh", "replace", this.address, "lladdr", mac, "dev", device, "nud", "permanent"]);
    await command(cluster, "ip", ["route", "replace", `${this.address}/32`, "dev", device]);
  }
}

async function command(cluster: Cluster, program: string, args: string[]): Promise<void> {
  const { exitCode, stderr } = await cluster.host(program, args);
  if (exitCode !== 0) throw new Error(`${program} ${args.join(" ")} on the cluster's machine: ${stderr.trim()}`);
}

function inside(cluster: Cluster, [enter, ...args]: string[], rest: string[]): Promise<void> {
  return command(cluster, enter!, [...args, ...rest]);
}
