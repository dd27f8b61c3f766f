/** From a plan's arrival at the programmer to its flows in force: the real programmer, resident and cold. */
import type { LabNode, LabProgrammer, LabRule } from "../../support/lab";
import { planOf } from "../../support/lab/programmer";
import type { PlannedPod } from "../../support/lab/programmer";
import type { Measurement } from "../e2e/statistics";
import { InForce } from "./in-force";
import { attachMany, labOn } from "./network";
import type { NetworkName } from "./network";
import { times } from "./timing";

const TARGETS: Record<string, LabRule["targetPort"]> = {
  internal: { ovsInternal: { name: "tap1" } },
  vxlan: { vxlan: { remoteIP: "172.31.0.200", destinationPort: 4789, vni: 9 } },
};

/** Few Pods and many on bridges of their own: each port of a bridge makes Open vSwitch slower with the next one. */
export async function plans(runs: number): Promise<Measurement[]> {
  return [...(await fewPods(runs)), ...(await manyPods(runs))];
}

export function fewPods(runs: number, network: NetworkName = "ovs"): Promise<Measurement[]> {
  return on(network, 10, rounds(runs), (bench, pods) => bench.newTrafficControl(pods));
}

export function manyPods(runs: number, network: NetworkName = "ovs", count = 1000): Promise<Measurement[]> {
  return on(network, count, rounds(runs), (bench, pods) => bench.manyPods(pods));
}

function rounds(runs: number): number {
  return Math.max(5, Math.ceil(runs / 2));
}

async function on(
  network: NetworkName,
  count: number,
  runs: number,
  measure: (bench: Bench, pods: readonly PlannedPod[]) => Promise<Measurement[]>,
): Promise<Measurement[]> {
  const lab = await labOn(network, { n1: { silent: 9 } });
  try {
    const node = lab.node("n1");
    const pods = await attachMany(lab, node, network, count);
    const programmer = await lab.program(node);
    const bench = new Bench(node, programmer, await InForce.watch(node), runs);
    await programmer.apply([]);
    return await measure(bench, pods);
  } finally {
    await lab.down();
  }
}

class Bench {
  constructor(
    private readonly node: LabNode,
    private readonly programmer: LabProgrammer,
    private readonly inForce: InForce,
    private readonly runs: number,
  ) {}

  async newTrafficControl(pods: readonly PlannedPod[]): Promise<Measurement[]> {
    const base = rule("base", TARGETS["vxlan"]!, pods);
    const shared = rule("new", TARGETS["vxlan"]!, pods);
    const own = rule("new", TARGETS["internal"]!, pods);
    const inline = { ...own, name: "inline", returnPort: { ovsInternal: { name: "tap2" } } };
    return [
      ...(await this.figures("new TrafficControl, 10 Pods, target shared", [base], [base, shared])),
      ...(await this.figures("new TrafficControl, 10 Pods, new vxlan target", [], [shared])),
      ...(await this.figures("new TrafficControl, 10 Pods, new ovsInternal target", [], [own])),
      ...(await this.figures("new Redirect, 10 Pods, new ovsInternal pair", [], [inline])),
      await this.coldFigures(pods),
    ];
  }

  async manyPods(pods: readonly PlannedPod[]): Promise<Measurement[]> {
    const base = rule("base", TARGETS["vxlan"]!, pods.slice(0, 10));
    const all = rule("all", TARGETS["vxlan"]!, pods);
    const but = rule("all", TARGETS["vxlan"]!, pods.slice(0, -1));
    return [
      ...(await this.figures(`new TrafficControl, ${pods.length} Pods, target shared`, [base], [base, all])),
      ...(await this.figures(`one Pod more beside ${pods.length - 1}`, [but], [all])),
      await this.coldFigures(pods),
    ];
  }

  private async figures(name: string, from: readonly LabRule[], to: readonly LabRule[]): Promise<Measurement[]> {
    const values = await times(this.runs, () => this.change(from, to));
    return [
      { name: `${name}: plan file → in force`, unit: "ms", values: values.map(({ force }) => force) },
      { name: `${name}: the programmer's whole pass`, unit: "ms", values: values.map(({ pass }) => pass) },
    ];
  }

  private async coldFigures(pods: readonly PlannedPod[]): Promise<Measurement> {
    const rules = [rule("cold", TARGETS["vxlan"]!, pods)];
    const values = await times(Math.ceil(this.runs / 2), () => this.cold(rules));
    return { name: `start of the programmer → ${pods.length} Pods in force`, unit: "ms", values };
  }

  /** Milliseconds until the plan's marker is in force, and what the programmer says of its pass, settling included. */
  private async change(from: readonly LabRule[], to: readonly LabRule[]): Promise<{ force: number; pass: number }> {
    await this.programmer.apply(from);
    const plan = planOf(to);
    const marker = this.inForce.marker(plan.hash);
    const logged = this.programmer.log.length;
    const started = performance.now();
    await this.programmer.put(plan);
    const force = (await marker) - started;
    await this.programmer.status(({ observedHash }) => observedHash === plan.hash);
    return { force, pass: Number(/"milliseconds":([\d.]+)/.exec(this.programmer.log.slice(logged))?.[1] ?? NaN) };
  }

  private async cold(rules: readonly LabRule[]): Promise<number> {
    await this.programmer.apply(rules);
    await this.programmer.stop();
    await this.node.ofctl("del-flows", "br-int", "cookie=0x5443000000000000/0xffff000000000000");
    const marker = this.inForce.marker(planOf(rules).hash);
    const started = performance.now();
    this.programmer.start();
    const force = (await marker) - started;
    await this.programmer.apply([]);
    return force;
  }
}

export function rule(name: string, targetPort: LabRule["targetPort"], pods: readonly PlannedPod[]): LabRule {
  return { name, direction: "Both", targetPort, pods };
}
