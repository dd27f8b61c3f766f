/**
 * What a packet costs in Open vSwitch's userspace datapath: without taps, with steering alone, with copies, and through a
 * device and back. The device is a wire of the kernel's; what it costs is not ovs-vswitchd's, but comes off the rate.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { LabNode, LabPod, LabRule } from "../../support/lab";
import { within } from "../../support/lab/command";
import type { Measurement } from "../e2e/statistics";
import { cpuSeconds } from "./cpu";
import { labOn } from "./network";
import type { NetworkName } from "./network";

const SECONDS = 4;
const ROUNDS = 3;
/** 64-byte datagrams as fast as one process can; what it says is how many it has sent. */
const SENDER = `
const socket = require("node:dgram").createSocket("udp4");
const [address, seconds] = process.argv.slice(1);
const packet = Buffer.alloc(64);
const end = Date.now() + seconds * 1000;
socket.connect(9, address, function burst() {
  if (Date.now() > end) { socket.close(); return; }
  let open = 64;
  for (let i = 0; i < 64; i++) socket.send(packet, () => { if (--open === 0) burst(); });
});`;

/** On OVN through its router. */
export async function forwarding(network: NetworkName = "ovs"): Promise<Measurement[]> {
  const lab = await labOn(network, { n1: { a: 9, b: 8, d: 9 } });
  try {
    const node = lab.node("n1");
    const [a, b, d] = [lab.pod("a"), lab.pod("b"), lab.pod("d")];
    // Nobody answers on the port: no ICMP errors, please.
    for (const pod of [a, b]) await pod.exec("sysctl", "-qw", "net.ipv4.icmp_ratelimit=0", "net.ipv4.icmp_ratemask=0");
    await b.exec("ip", "link", "set", "eth0", "up");
    const wire = await lab.addWire(node, "w1");
    const programmer = await lab.program(node);
    const tap = (count: number, pod: LabPod): LabRule[] =>
      Array.from({ length: count }, (_, index) => ({
        name: `m${index}`,
        direction: "Both",
        targetPort: { ovsInternal: { name: `tap${index}` } },
        pods: [pod],
      }));
    const kinds: [string, LabRule[]][] = [
      ["no TrafficControl", []],
      ["steering only, another Pod is tapped", tap(1, d)],
      ["mirror × 1", tap(1, a)],
      ["mirror × 3", tap(3, a)],
      [
        "redirect",
        [
          {
            ...{ name: "inline", direction: "Both", pods: [a] },
            ...{ targetPort: { device: { name: wire.target } }, returnPort: { device: { name: wire.back } } },
          },
        ],
      ],
    ];
    const rates = new Map<string, number[]>(kinds.map(([name]) => [name, []]));
    const costs = new Map<string, number[]>(kinds.map(([name]) => [name, []]));
    const trips = new Map<string, number[]>(kinds.map(([name]) => [name, []]));
    // In turns, so that what else the machine does hits all of them.
    for (let round = 0; round < ROUNDS; round++)
      for (const [name, rules] of kinds) {
        await programmer.apply(rules);
        await a.ping(b);
        const { rate, cost } = await load(node, a, b);
        rates.get(name)!.push(rate);
        costs.get(name)!.push(cost);
        trips.get(name)!.push(await roundTrip(a, b));
      }
    return kinds.flatMap(([name]) => [
      { name: `forwarding, ${name}: delivered`, unit: "kpps", values: rates.get(name)! },
      { name: `forwarding, ${name}: ovs-vswitchd's CPU per packet`, unit: "µs", values: costs.get(name)! },
      { name: `forwarding, ${name}: round trip of a ping`, unit: "µs", values: trips.get(name)! },
    ]);
  } finally {
    await lab.down();
  }
}

/** Thousands of packets per second that arrive, and microseconds of ovs-vswitchd's CPU for each. */
async function load(node: LabNode, from: LabPod, to: LabPod): Promise<{ rate: number; cost: number }> {
  const pid = node.pid("ovs-vswitchd");
  const before = { cpu: cpuSeconds(pid), packets: await received(to), at: performance.now() };
  const args = ["-e", SENDER, to.address, String(SECONDS)];
  const child = spawn("ip", within(from.namespace, process.execPath, args), { stdio: "inherit" });
  await once(child, "exit");
  const packets = (await received(to)) - before.packets;
  const seconds = (performance.now() - before.at) / 1000;
  return { rate: packets / seconds / 1000, cost: ((cpuSeconds(pid) - before.cpu) / packets) * 1e6 };
}

/** Microseconds, the mean of 500 at 200 a second. */
async function roundTrip(from: LabPod, to: LabPod): Promise<number> {
  const output = await from.exec("ping", "-n", "-q", "-i", "0.005", "-c", "500", to.address);
  return Number(/= [\d.]+\/([\d.]+)\//.exec(output)?.[1]) * 1000;
}

async function received(pod: LabPod): Promise<number> {
  return Number(await pod.exec("cat", "/sys/class/net/eth0/statistics/rx_packets"));
}
