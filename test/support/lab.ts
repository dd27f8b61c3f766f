/**
 * A lab without Kubernetes: nodes, Pods and a collector as network namespaces with real Open vSwitch, without an uplink.
 * Up in about a second. Used by test/lab; needs root, Open vSwitch, tcpdump, tshark, ping. The datapath is the userspace
 * one unless LAB_DATAPATH=system.
 *
 * On real OVN, if asked for: then br-int is ovn-controller's, with Geneve between the nodes over br-phy.
 *
 * ```
 *  collector ──┐                       underlay 172.31.0.0/24, fd31::/64
 *  n1: eth0 ── ul0 ── n2: eth0         (br-phy, or eth0 itself, holds the address)
 *  n1: eth1 ── l20 ── n2: eth1         the Pods' network, br-int of each node: 10.9.0.0/24, fd09::/64
 * ```
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { access } from "node:fs/promises";
import { Capture } from "./capture";
import type { CaptureOptions } from "./capture";
import { attempt, ip, run, within } from "./lab/command";
import { IN_KERNEL } from "./lab/datapath";
import { LabNode } from "./lab/node";
import { LabOvn } from "./lab/ovn";
import { claim, vacate, vacateOrphans } from "./lab/place";
import type { Place } from "./lab/place";
import { LabPod } from "./lab/pod";
import { LabProgrammer, bundleProgrammer } from "./lab/programmer";

export type { Frame, Packet, Tunnel } from "./decode";
export { DATAPATH, IN_KERNEL } from "./lab/datapath";
export { LabNode } from "./lab/node";
export type { PingResult } from "./lab/ping";
export { LabPod } from "./lab/pod";
export { LabProgrammer } from "./lab/programmer";
export type { LabRule } from "./lab/programmer";

interface Layout {
  /** Names of nodes → names of their Pods. */
  nodes: Readonly<Record<string, readonly string[]>>;
  /** On real OVN in place of switched bridges: names of its Pods → the network whose logical switch they are on. */
  ovn?: Readonly<Record<string, number>>;
}

/** A device with two ends: packets go in at `target` and come back at `back`, both names of devices on the node. */
export interface Wire {
  target: string;
  back: string;
}

const COLLECTOR = { address: "172.31.0.200", address6: "fd31::c8" };
/** Offloads hand Open vSwitch's userspace datapath frames without checksums or beyond the MTU; the kernel's minds neither. */
const OFFLOADS = ["tx", "off", "tso", "off", "gso", "off", "gro", "off"];
/**
 * No packet of a Pod's own accord, which would be copied as any other: no router solicitations, and the second MLD report
 * right after the first (RFC 3810 has it up to a second later, when a test may be counting already).
 */
const SYSCTLS = [
  ...["accept_ra=0", "router_solicitations=0", "accept_dad=0"],
  ...["mldv1_unsolicited_report_interval=1", "mldv2_unsolicited_report_interval=1"],
].map((each) => `net.ipv6.conf.default.${each}`);

export class Lab {
  /** The collector's addresses on the underlay. */
  readonly collector = COLLECTOR;
  private readonly nodes = new Map<string, LabNode>();
  private readonly pods = new Map<string, LabPod>();
  private readonly programmers: LabProgrammer[] = [];
  private bundle: Promise<string> | null = null;
  private central: LabOvn | null = null;
  private readonly atExit = (): void => {
    vacate(this.place);
  };

  private constructor(private readonly place: Place) {}

  /** Builds a lab. Cleans up what crashed runs have left before, and itself if it fails. */
  static async up(layout: Layout): Promise<Lab> {
    await checkPrerequisites(layout.ovn !== undefined);
    vacateOrphans();
    const lab = new Lab(claim());
    process.once("exit", lab.atExit);
    try {
      await lab.build(layout);
    } catch (error) {
      await lab.down();
      throw error;
    }
    return lab;
  }

  node(name: string): LabNode {
    return found(this.nodes.get(name), "node", name);
  }

  pod(name: string): LabPod {
    return found(this.pods.get(name), "Pod", name);
  }

  /** OVN's central half, where the layout asks for it. */
  get ovn(): LabOvn {
    return found(this.central ?? undefined, "OVN", "");
  }

  /** Name of the collector's network namespace; its device is eth0. */
  get collectorNamespace(): string {
    return this.namespace("col");
  }

  /** Catches packets on a device of a node, a Pod or a namespace by name. */
  capture(
    where: LabNode | LabPod | string,
    device: string,
    options: Omit<CaptureOptions, "enter" | "device"> = {},
  ): Promise<Capture> {
    const namespace = typeof where === "string" ? where : where.namespace;
    return Capture.start({ ...options, enter: ["ip", "netns", "exec", namespace], device });
  }

  /**
   * Tunnels at the collector; its own ICMP errors, which quote them, are left out. Not by "inbound": with that, libpcap
   * 1.10 loses the first packet.
   */
  captureTunnels(options: Omit<CaptureOptions, "enter" | "device" | "filter"> = {}): Promise<Capture> {
    return this.capture(this.collectorNamespace, "eth0", { ...options, filter: "udp or ip proto 47 or ip6 proto 47" });
  }

  /** Starts the node programmer on a node; without a plan it does nothing yet. */
  async program(node: LabNode): Promise<LabProgrammer> {
    const programmer = await this.programmer(node);
    programmer.start();
    return programmer;
  }

  /** A node programmer that is not started yet; under a name of its own it has its own plan and status. */
  async programmer(node: LabNode, name?: string): Promise<LabProgrammer> {
    this.bundle ??= bundleProgrammer(this.place.directory);
    const programmer = new LabProgrammer(node, await this.bundle, this.place.directory, name);
    this.programmers.push(programmer);
    return programmer;
  }

  /** Ends everything. */
  async down(): Promise<void> {
    await Promise.all(this.programmers.map((programmer) => programmer.stop("SIGKILL")));
    process.removeListener("exit", this.atExit);
    vacate(this.place);
  }

  private namespace(name: string): string {
    return `${this.place.prefix}-${name}`;
  }

  private async build({ nodes, ovn }: Layout): Promise<void> {
    const underlay = this.namespace("ul");
    const collector = this.namespace("col");
    for (const [name, podNames] of Object.entries(nodes)) {
      const node = new LabNode(name, this.namespace(name), this.place.directory, this.nodes.size + 1);
      this.nodes.set(name, node);
      for (const pod of podNames)
        this.pods.set(pod, new LabPod(pod, node, this.namespace(`p-${pod}`), this.pods.size + 11, ovn?.[pod]));
    }
    const namespaces = [
      underlay,
      collector,
      ...[...this.nodes.values(), ...this.pods.values()].map((x) => x.namespace),
    ];
    await ip(
      "",
      namespaces.map((name) => `netns add ${name}`),
    );
    await Promise.all(namespaces.map((name) => run("ip", within(name, "sysctl", ["-qw", ...SYSCTLS]))));
    await ip(underlay, ["link add ul0 type bridge mcast_snooping 0", "link add l20 type bridge mcast_snooping 0"]);
    await ip(underlay, ["link set ul0 up", "link set l20 up"]);
    await this.cable(collector, "eth0", underlay, "ucol", "ul0");
    await ip(collector, [
      `addr add ${COLLECTOR.address}/24 dev eth0`,
      `addr add ${COLLECTOR.address6}/64 dev eth0 nodad`,
    ]);
    if (ovn) await this.buildOvn(collector, ovn);
    await Promise.all([...this.nodes.values()].map((node) => this.buildNode(node, underlay)));
    if (this.central) await this.central.sync();
  }

  private async buildOvn(namespace: string, networks: Readonly<Record<string, number>>): Promise<void> {
    this.central = new LabOvn(namespace, COLLECTOR.address, this.place.directory);
    await this.central.start();
    const switches = new Map([...new Set(Object.values(networks))].map((network) => [network, [] as LabPod[]]));
    for (const [name, network] of Object.entries(networks)) switches.get(network)?.push(this.pod(name));
    await this.central.build(switches);
  }

  private async buildNode(node: LabNode, underlay: string): Promise<void> {
    await this.cable(node.namespace, "eth0", underlay, `u${node.name}`, "ul0");
    await this.cable(node.namespace, "eth1", underlay, `l${node.name}`, "l20");
    const pods = [...this.pods.values()].filter((pod) => pod.node === node);
    // A node without Pods is no chassis: an inspection device that is somewhere else.
    await (this.central && pods.length > 0 ? node.startOnOvn(this.central.remote) : node.start());
    await Promise.all(pods.map((pod) => this.buildPod(pod)));
    if (pods.length > 0)
      await node.vsctl(...pods.flatMap((pod) => ["--", ...(this.central ? pod.attachToOvn() : pod.attach())]));
  }

  private async buildPod(pod: LabPod): Promise<void> {
    await this.cable(pod.namespace, "eth0", pod.node.namespace, pod.port);
    await ip(pod.namespace, [
      "link set eth0 down",
      `link set eth0 address ${pod.mac}`,
      "link set eth0 up",
      `addr add ${pod.address}/24 dev eth0`,
      `addr add ${pod.address6}/64 dev eth0 nodad`,
    ]);
    if (this.central)
      // Geneve takes 58 bytes of the underlay's 1500.
      await ip(pod.namespace, [
        "link set eth0 mtu 1400",
        `route add default via ${pod.gateway}`,
        `route add default via ${pod.gateway6}`,
      ]);
  }

  /** A veth pair between two namespaces, both ends up; the second end in a bridge if one is named. */
  private async cable(a: string, deviceA: string, b: string, deviceB: string, bridge?: string): Promise<void> {
    await ip("", [`link add ${deviceA} netns ${a} type veth peer name ${deviceB} netns ${b}`]);
    const master = bridge === undefined ? "" : `master ${bridge} `;
    await Promise.all([
      ip(a, ["link set lo up", `link set ${deviceA} up`]),
      ip(b, [`link set ${deviceB} ${master}up`]),
    ]);
    if (IN_KERNEL) return;
    await Promise.all([
      run("ip", within(a, "ethtool", ["-K", deviceA, ...OFFLOADS])),
      run("ip", within(b, "ethtool", ["-K", deviceB, ...OFFLOADS])),
    ]);
  }

  /**
   * Another device of the node in the Pods' network, whose switch sends everything to it that is not for a port where it
   * has seen the address: it does not learn from this one, nor from eth1 any more.
   */
  async addUplink(node: LabNode, name: string): Promise<void> {
    const underlay = this.namespace("ul");
    const end = `${name}${node.name}`;
    await this.cable(node.namespace, name, underlay, end, "l20");
    await ip(
      underlay,
      [end, `l${node.name}`].map((port) => `link set ${port} type bridge_slave learning off fdb_flush`),
    );
  }

  /**
   * An inspection device that is a mere wire, in a namespace of its own: what comes in at one end leaves at the other,
   * `delay` milliseconds later. Its ends on the node are the devices `NAME-t` and `NAME-r`. It does not learn, so that no
   * packet is held back because its sender has been seen on the other side.
   */
  async addWire(node: LabNode, name: string, { delay = 0 } = {}): Promise<Wire> {
    const namespace = this.namespace(`w-${name}`);
    await ip("", [`netns add ${namespace}`]);
    await run("ip", within(namespace, "sysctl", ["-qw", "net.ipv6.conf.default.disable_ipv6=1"]));
    await ip(namespace, ["link add wire type bridge mcast_snooping 0", "link set wire up"]);
    for (const [end, outside] of [
      ["in", `${name}-t`],
      ["out", `${name}-r`],
    ] as const) {
      await this.cable(node.namespace, outside, namespace, end, delay > 0 ? undefined : "wire");
      await node.exec("sysctl", "-qw", `net.ipv6.conf.${outside}.disable_ipv6=1`);
      if (delay === 0) await run("ip", within(namespace, "bridge", ["link", "set", "dev", end, "learning", "off"]));
    }
    if (delay > 0) await holdPackets(namespace, delay);
    return { target: `${name}-t`, back: `${name}-r` };
  }

  /** Makes a device on the node, up, whose other end (`NAME-p`) is on the node too: a target for `device` ports. */
  async addDevice(node: LabNode, name: string): Promise<string> {
    const peer = `${name}-p`;
    await this.cable(node.namespace, name, node.namespace, peer);
    await node.exec("sysctl", "-qw", `net.ipv6.conf.${name}.disable_ipv6=1`, `net.ipv6.conf.${peer}.disable_ipv6=1`);
    return peer;
  }
}

/** A program that forwards each packet after a while; not every kernel has netem. It ends with its namespace. */
async function holdPackets(namespace: string, delay: number): Promise<void> {
  const script = `
import collections, select, socket, sys, time
ends = {}
for name, other in (("in", "out"), ("out", "in")):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
    s.bind((name, 0)); s.setblocking(False)
    ends[name] = s
pairs = {ends["in"]: ends["out"], ends["out"]: ends["in"]}
held = collections.deque()
sys.stdout.write("ready\\n"); sys.stdout.flush()
while True:
    wait = max(0, held[0][0] - time.monotonic()) if held else None
    for s in select.select(list(pairs), [], [], wait)[0]:
        try:
            frame, address = s.recvfrom(65535)
        except BlockingIOError:
            continue
        if address[2] != socket.PACKET_OUTGOING:
            held.append((time.monotonic() + ${delay / 1000}, pairs[s], frame))
    while held and held[0][0] <= time.monotonic():
        _, out, frame = held.popleft()
        out.send(frame)
`;
  const child = spawn("ip", within(namespace, "python3", ["-c", script]), { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  child.unref();
  child.stdout.destroy();
}

function found<T>(value: T | undefined, what: string, name: string): T {
  if (value === undefined) throw new Error(`this lab has no ${what} ${name}`);
  return value;
}

async function checkPrerequisites(onOvn: boolean): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error("The packet lab makes network namespaces: run it as root.");
  const missing: string[] = [];
  const packages: Record<string, string> = {
    "ovs-vswitchd": "openvswitch-switch",
    tcpdump: "tcpdump",
    tshark: "tshark",
    ping: "iputils-ping",
    ethtool: "ethtool",
    ip: "iproute2",
    python3: "python3",
    ...(onOvn ? { "ovn-northd": "ovn-central", "ovn-controller": "ovn-host" } : {}),
  };
  for (const [program, name] of Object.entries(packages)) {
    const { exitCode } = await attempt("which", [program]);
    if (exitCode !== 0) missing.push(name);
  }
  if (missing.length > 0) throw new Error(`The packet lab needs: apt-get install ${missing.join(" ")}`);
  await access("/dev/net/tun").catch(() => {
    throw new Error("The packet lab needs /dev/net/tun for Open vSwitch's internal ports: modprobe tun");
  });
}
