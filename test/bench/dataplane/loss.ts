/** Packets that a ping loses while the flows of its Pod are replaced: in one bundle, and the naive way. */
import { writeFile } from "node:fs/promises";
import { compile } from "../../../packages/node-programmer/src/pipeline";
import { formatFlow } from "../../../packages/ovs-ofctl-wrapper/src/index";
import { Lab } from "../../support/lab";
import type { LabPod } from "../../support/lab";
import { run, within } from "../../support/lab/command";
import { value } from "../../support/lab-result";
import type { Measurement } from "../e2e/statistics";
import { input } from "./plan-sizes";

const REPLACEMENTS = 100;
const PODS = 100;
const NORMAL = { table: 0, priority: 0, cookie: 0n, match: "", actions: "NORMAL" };

export async function loss(): Promise<Measurement[]> {
  const lab = await Lab.up({ nodes: { n1: ["a"], n2: ["c"] } });
  try {
    const node = lab.node("n1");
    const flows = [NORMAL, ...compile(input(PODS, 1))];
    const anew = [{ kind: "delete" as const }, ...flows.map((flow) => ({ kind: "add" as const, ...flow }))];
    const file = `${node.runDir}/flows`;
    await writeFile(file, `${flows.map(formatFlow).join("\n")}\n`);
    const target = `unix:${node.runDir}/br-int.mgmt`;
    const ofctl = (...args: string[]): Promise<string> => run("ovs-ofctl", ["-O", "OpenFlow15", ...args]);
    const title = `at 500 packets/s, lost in ${REPLACEMENTS} replacements of ${flows.length} flows`;
    const [a, c] = [lab.pod("a"), lab.pod("c")];
    return [
      {
        name: `${title}: one bundle`,
        unit: "packets",
        values: [await lost(a, c, async () => value(await node.openflow.bundle("br-int", anew)))],
      },
      {
        name: `${title}: naive, del-flows + add-flows`,
        unit: "packets",
        values: [
          await lost(a, c, async () => {
            await ofctl("del-flows", target);
            await ofctl("add-flows", target, file);
          }),
        ],
      },
    ];
  } finally {
    await lab.down();
  }
}

/** The ping ends by itself: what SIGINT would leave in flight must not count. */
async function lost(from: LabPod, to: LabPod, replace: () => Promise<unknown>): Promise<number> {
  await from.ping(to);
  const args = ["-n", "-q", "-i", "0.002", "-c", "5000", "-W", "1", to.address];
  const pinging = run("ip", within(from.namespace, "ping", args), { timeout: 120_000 });
  for (let i = 0; i < REPLACEMENTS; i++) {
    await replace();
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
  const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(await pinging)!;
  return Number(sent) - Number(received);
}
