/** What a programmer costs that has nothing to do: ten Pods, one TrafficControl. */
import { readFileSync } from "node:fs";
import { Lab } from "../../support/lab";
import type { Measurement } from "../e2e/statistics";
import { cpuSeconds } from "./cpu";
import { attachPods } from "./many-pods";
import { rule } from "./plans";

const SECONDS = 65; // two audits

export async function idle(): Promise<Measurement[]> {
  const lab = await Lab.up({ nodes: { n1: [] } });
  try {
    const node = lab.node("n1");
    const target = { vxlan: { remoteIP: "172.31.0.200", destinationPort: 4789, vni: 9 } };
    const programmer = await lab.program(node);
    await programmer.apply([rule("base", target, await attachPods(node, 10))]);
    await new Promise((resolve) => setTimeout(resolve, 5000));
    const before = cpuSeconds(programmer.pid, true);
    await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000));
    const percent = ((cpuSeconds(programmer.pid, true) - before) / SECONDS) * 100;
    const status = readFileSync(`/proc/${programmer.pid}/status`, "utf8");
    const memory = Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
    return [
      { name: `idle programmer, CPU over ${SECONDS} s, its processes included`, unit: "%", values: [percent] },
      { name: "idle programmer, memory (RSS)", unit: "MiB", values: [memory] },
    ];
  } finally {
    await lab.down();
  }
}
