/**
 * What is different on OVN: packets that a change of the plan loses there, and how long flows are away when ovs-vswitchd or
 * ovn-controller is killed and started again. The programmer is the real one.
 */
import type { Lab, LabNode, LabProgrammer, LabRule } from "../../support/lab";
import { isOurs } from "../../../packages/node-programmer/src/pipeline";
import type { Measurement } from "../e2e/statistics";
import { attachMany, labOn } from "./network";
import { rule } from "./plans";
import { times } from "./timing";

const TARGET = { vxlan: { remoteIP: "172.31.0.200", destinationPort: 4789, vni: 9 } };
const CHANGES = 100;
/** Milliseconds without a change after which a recovery is over. */
const SETTLED = 3_000;

/** Packets of a ping through OVN's router that get lost while its Pod is selected and let go, a hundred times. */
export async function lossOnOvn(): Promise<Measurement[]> {
  const lab = await labOn("ovn", { n1: { a: 9, b: 8 } });
  try {
    const [node, a, b] = [lab.node("n1"), lab.pod("a"), lab.pod("b")];
    const others = await attachMany(lab, node, "ovn", 98);
    const programmer = await lab.program(node);
    if ((await a.ping(b)).received !== 5) throw new Error("OVN does not deliver.");
    const plans = [[a, ...others], others].map((pods) => [rule("base", TARGET, pods)]);
    await programmer.apply(plans[0]!);
    const pinging = a.ping(b, { count: 5000, pause: 2 });
    for (let change = 1; change <= CHANGES; change++) {
      await programmer.apply(plans[change % 2]!);
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
    const { sent, received } = await pinging;
    const name = `at up to 500 packets/s, lost in ${CHANGES} changes of a plan of 99 Pods`;
    return [{ name, unit: "packets", values: [sent - received] }];
  } finally {
    await lab.down();
  }
}

export async function recoveryOnOvn(runs: number): Promise<Measurement[]> {
  const lab = await labOn("ovn", { n1: { a: 9, b: 8 } });
  try {
    const node = lab.node("n1");
    const rules = [rule("base", TARGET, [lab.pod("a"), ...(await attachMany(lab, node, "ovn", 9))])];
    const programmer = await lab.program(node);
    await programmer.apply(rules);
    const of = async (daemon: "ovs-vswitchd" | "ovn-controller"): Promise<Measurement[]> => {
      const values = await times(Math.ceil(runs / 2), () => killed(lab, node, programmer, rules, daemon));
      const title = `kill -9 of ${daemon}, 10 Pods`;
      return [
        {
          name: `${title}: start of the new one → flows in force for good`,
          unit: "ms",
          values: values.map(({ all }) => all),
        },
        { name: `${title}: flows away since it runs`, unit: "ms", values: values.map(({ away }) => away) },
      ];
    };
    return [...(await of("ovn-controller")), ...(await of("ovs-vswitchd"))];
  } finally {
    await lab.down();
  }
}

/**
 * From the daemon's start to the last time that the plan's flows came: ovn-controller removes them once it is connected. And
 * for how long they were missing in that time; looked at as often as the machine lets us, some ten milliseconds apart.
 */
async function killed(
  lab: Lab,
  node: LabNode,
  programmer: LabProgrammer,
  rules: readonly LabRule[],
  daemon: "ovs-vswitchd" | "ovn-controller",
): Promise<{ all: number; away: number }> {
  await node.kill(daemon);
  const started = performance.now();
  await (daemon === "ovs-vswitchd" ? node.startVswitchd() : node.startOvnController());
  let [isThere, since, away] = [daemon === "ovn-controller", started, 0];
  while (performance.now() - since < SETTLED) {
    const found = await node.openflow.dumpFlows("br-int", { table: 65 });
    const now = found.ok && found.value.some(({ cookie }) => isOurs(cookie));
    if (now === isThere) continue;
    if (now) away += performance.now() - since;
    [isThere, since] = [now, performance.now()];
  }
  await lab.ovn.sync();
  const { realizedPods } = await programmer.read();
  if (!isThere || realizedPods !== rules[0]!.pods.length) throw new Error("The flows have not come back.");
  return { all: since - started, away };
}
