/**
 * From when on a Pod that speaks all the time is copied, and what has passed by then: its plan there before its port, a plan
 * that comes later, and no programmer on the node, which is started with the plan. A Job takes longer to start than
 * a process: bench:e2e measures that.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { wallClock } from "../../support/e2e/clock";
import { eventually } from "../../support/e2e/eventually";
import { Lab } from "../../support/lab";
import type { LabPod, LabProgrammer, LabRule } from "../../support/lab";
import type { Capture } from "../../support/capture";
import type { PacketRecord } from "../../support/pcap";
import { within } from "../../support/lab/command";
import { planOf } from "../../support/lab/programmer";
import type { Measurement } from "../e2e/statistics";
import { times } from "./timing";

const PACKETS_PER_SECOND = 500;
const ECHO_REQUESTS = "icmp[icmptype] == icmp-echo";
const TARGET = { ovsInternal: { name: "tap1" } };

export async function firstCopies(runs: number): Promise<Measurement[]> {
  const lab = await Lab.up({ nodes: { n1: ["new", "peer"] } });
  try {
    const bench = new FirstCopies(lab, await lab.program(lab.node("n1")));
    const peer = lab.pod("peer");
    // ARP would wait a second for a port that is not there yet.
    await lab
      .pod("new")
      .exec("ip", "neigh", "replace", peer.address, "lladdr", peer.mac, "dev", "eth0", "nud", "permanent");
    const figures = async (name: string, act: () => Promise<First>): Promise<Measurement[]> => {
      const found = await times(runs, act);
      return [
        { name: `${name} → first copy`, unit: "ms", values: found.map(({ after }) => after) },
        { name: "the same: packets before it", unit: "packets", values: found.map(({ missed }) => missed) },
      ];
    };
    const speaks = `a Pod that sends ${PACKETS_PER_SECOND} packets/s`;
    return [
      ...(await figures(`${speaks}, plan there before: its port`, () => bench.newPort())),
      ...(await figures(`${speaks}, late plan: plan file`, () => bench.latePlan())),
      ...(await figures(`${speaks}, no programmer: start of its process`, () => bench.noProgrammer())),
    ];
  } finally {
    await lab.down();
  }
}

interface First {
  /** Milliseconds. */
  after: number;
  /** Packets that passed the bridge in the meantime. */
  missed: number;
}

class FirstCopies {
  private readonly pod: LabPod;
  private readonly rules: LabRule[];

  constructor(
    private readonly lab: Lab,
    private readonly programmer: LabProgrammer,
  ) {
    this.pod = lab.pod("new");
    this.rules = [{ name: "first", direction: "Egress", targetPort: TARGET, pods: [this.pod] }];
  }

  /** Counted from the first packet that arrives: before its port is one, nothing does. */
  async newPort(): Promise<First> {
    await this.programmer.apply(this.rules);
    await this.pod.node.vsctl("del-port", "br-int", this.pod.port);
    return this.observe(async () => {
      await this.pod.node.vsctl(...this.pod.attach());
      return 0;
    });
  }

  async latePlan(): Promise<First> {
    await this.withTarget();
    return this.observe(async () => {
      const at = wallClock();
      await this.programmer.put(planOf(this.rules));
      return at;
    });
  }

  async noProgrammer(): Promise<First> {
    await this.withTarget();
    await this.programmer.stop();
    await this.programmer.put(planOf(this.rules));
    return this.observe(() => {
      const at = wallClock();
      this.programmer.start();
      return Promise.resolve(at);
    });
  }

  /** The target is there, but nobody is copied to it: a capture needs the device. */
  private async withTarget(): Promise<void> {
    await this.programmer.apply([{ ...this.rules[0]!, name: "other", pods: [this.lab.pod("peer")] }]);
  }

  /** `act` returns the time from which on to count, in seconds. */
  private async observe(act: () => Promise<number>): Promise<First> {
    const { pod, lab } = this;
    const options = { filter: `${ECHO_REQUESTS} and src host ${pod.address}` };
    const captures = [
      await lab.capture(pod.node, "tap1", options),
      await lab.capture(lab.pod("peer"), "eth0", options),
    ] as const;
    const args = ["-n", "-q", "-i", String(1 / PACKETS_PER_SECOND), lab.pod("peer").address];
    const sender = spawn("ip", within(pod.namespace, "ping", args), { stdio: "ignore" });
    try {
      const quiet = await sent(pod);
      await eventually("the Pod speaks", async () => (await sent(pod)) > quiet + 5, { pauseMilliseconds: 5 });
      const from = await act();
      const [copies, arrivals] = captures;
      const since = (capture: Capture): PacketRecord[] => capture.records().filter(({ time }) => time > from);
      await eventually("the first copy", () => since(copies).length > 0, { seconds: 20, pauseMilliseconds: 5 });
      await eventually("a packet", () => since(arrivals).length > 0, { seconds: 20, pauseMilliseconds: 5 });
      const [copy, packet] = [since(copies)[0]!, since(arrivals)[0]!];
      // Else the next run could take the status of the run before for its own.
      const { hash } = planOf(this.rules);
      await this.programmer.status(({ observedHash }) => observedHash === hash);
      const start = from === 0 ? Math.min(packet.time, copy.time) : from;
      return { after: (copy.time - start) * 1000, missed: Math.max(0, sequence(copy) - sequence(packet)) };
    } finally {
      const gone = once(sender, "exit");
      sender.kill("SIGINT");
      await gone;
      await Promise.all(captures.map((capture) => capture.discard()));
    }
  }
}

async function sent(pod: LabPod): Promise<number> {
  return Number(await pod.exec("cat", "/sys/class/net/eth0/statistics/tx_packets"));
}

/** Of an untagged ICMP echo request over IPv4 without options. */
function sequence({ bytes }: PacketRecord): number {
  return bytes.readUInt16BE(14 + 20 + 6);
}
