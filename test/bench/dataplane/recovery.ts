/** From a killed ovs-vswitchd's return to the flows in force again. The programmer is the real one, with ten Pods. */
import { Lab } from "../../support/lab";
import type { LabNode, LabRule } from "../../support/lab";
import { planOf } from "../../support/lab/programmer";
import { Connection } from "../../../packages/ovs-ofctl-wrapper/src/wire/connection";
import { KIND, cookie, shortHash } from "../../../packages/node-programmer/src/pipeline";
import type { Measurement } from "../e2e/statistics";
import { attachPods } from "./many-pods";
import { rule } from "./plans";
import { times } from "./timing";

const TARGET = { vxlan: { remoteIP: "172.31.0.200", destinationPort: 4789, vni: 9 } };

export async function recovery(runs: number): Promise<Measurement[]> {
  const lab = await Lab.up({ nodes: { n1: [] } });
  try {
    const node = lab.node("n1");
    const rules = [rule("base", TARGET, await attachPods(node, 10))];
    const programmer = await lab.program(node);
    await programmer.apply(rules);
    const values = await times(Math.ceil(runs / 2), () => killed(node, rules));
    return [
      {
        name: "kill -9 of ovs-vswitchd: its OpenFlow is back → flows in force",
        unit: "ms",
        values: values.map(({ back }) => back),
      },
      {
        name: "the same, from the start of the new ovs-vswitchd on",
        unit: "ms",
        values: values.map(({ started }) => started),
      },
    ];
  } finally {
    await lab.down();
  }
}

async function killed(node: LabNode, rules: readonly LabRule[]): Promise<{ back: number; started: number }> {
  await node.killVswitchd();
  const started = performance.now();
  const starting = node.startVswitchd();
  const connection = await firstConnection(`${node.runDir}/br-int.mgmt`);
  const back = performance.now();
  const marker = cookie(KIND.marker, shortHash(planOf(rules).hash));
  const restored = new Promise((resolve) => {
    connection.on("flow", (event) => {
      if (event.cookie === marker) resolve(event);
    });
  });
  if (!(await connection.watch())) throw new Error("The flow monitor was refused.");
  await restored;
  const inForce = performance.now();
  connection.close();
  await starting;
  // The programmer looks at everything again two seconds after a change.
  await new Promise((resolve) => setTimeout(resolve, 2500));
  return { back: inForce - back, started: inForce - started };
}

async function firstConnection(path: string): Promise<Connection> {
  for (;;) {
    const connection = await Connection.open(path, 5000).catch(() => null);
    if (connection) return connection;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
