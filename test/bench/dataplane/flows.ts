/** From a plan to flows in the tables: compiler and bundle, without programmer and ports; and the naive ways. */
import { writeFile } from "node:fs/promises";
import { compile } from "../../../packages/node-programmer/src/pipeline";
import { diffFlows, formatFlow } from "../../../packages/ovs-ofctl-wrapper/src/index";
import type { Flow, FlowChange } from "../../../packages/ovs-ofctl-wrapper/src/index";
import { Lab } from "../../support/lab";
import type { LabNode } from "../../support/lab";
import { run } from "../../support/lab/command";
import { value } from "../../support/lab-result";
import type { Measurement } from "../e2e/statistics";
import { input } from "./plan-sizes";
import { milliseconds, times } from "./timing";

const BRIDGE = "br-int";
const SIZES: [pods: number, rules: number][] = [
  [10, 1],
  [100, 1],
  [1000, 1],
  [5000, 1],
  [200, 20],
  [500, 30],
];
/** One process per flow takes long: so many are started, and the rest is added in proportion. */
const PROCESSES = 60;

export async function flows(runs: number): Promise<Measurement[]> {
  const lab = await Lab.up({ nodes: { n1: [] } });
  try {
    const node = lab.node("n1");
    const found: Measurement[] = [];
    for (const [pods, rules] of SIZES) found.push(...(await ofSize(node, pods, rules, pods > 1000 ? 5 : runs)));
    return found;
  } finally {
    await lab.down();
  }
}

async function ofSize(node: LabNode, pods: number, rules: number, runs: number): Promise<Measurement[]> {
  const flowCount = compile(input(pods, rules)).length;
  const title = `${pods} Pods × ${rules} TrafficControl${rules > 1 ? "s" : ""}, ${flowCount} flows`;
  const all = (): Flow[] => compile(input(pods, rules));
  const adds = (wanted: readonly Flow[]): FlowChange[] => wanted.map((flow) => ({ kind: "add", ...flow }));
  const clear = async (): Promise<void> => {
    value(await node.openflow.bundle(BRIDGE, [{ kind: "delete" }]));
  };
  const before = async (prepare: () => Promise<void>, act: () => Promise<unknown>): Promise<number[]> =>
    times(runs, async () => {
      await prepare();
      return milliseconds(act);
    });
  const file = `${node.runDir}/flows`;
  const target = `unix:${node.runDir}/${BRIDGE}.mgmt`;
  const ofctl = (...args: string[]): Promise<string> => run("ovs-ofctl", ["-O", "OpenFlow15", ...args]);
  const text = all().map(formatFlow);
  await writeFile(file, `${text.join("\n")}\n`);

  const direct = await before(clear, async () => value(await node.openflow.bundle(BRIDGE, adds(all()))));
  const change = await before(
    async () => {
      await clear();
      value(await node.openflow.bundle(BRIDGE, adds(compile(input(pods - 1, rules)))));
    },
    async () => value(await node.openflow.bundle(BRIDGE, diffFlows(compile(input(pods - 1, rules)), all()))),
  );
  const bundled = await before(clear, () => ofctl("--bundle", "add-flows", target, file));
  const naive = await before(
    () => Promise.resolve(),
    async () => {
      await ofctl("del-flows", target);
      await ofctl("add-flows", target, file);
    },
  );
  const processes = Math.min(PROCESSES, flowCount);
  const each = await milliseconds(async () => {
    for (const flow of text.slice(0, processes)) await ofctl("add-flow", target, flow);
  });
  await clear();
  const about = processes < flowCount ? ` (from ${processes})` : "";
  return [
    { name: `${title}: plan → in force, held connection`, unit: "ms", values: direct },
    { name: `${title}: one Pod more, held connection`, unit: "ms", values: change },
    { name: `${title}: ovs-ofctl --bundle`, unit: "ms", values: bundled },
    { name: `${title}: naive, del-flows + add-flows`, unit: "ms", values: naive },
    { name: `${title}: naive, a process per flow${about}`, unit: "ms", values: [(each / processes) * flowCount] },
  ];
}
