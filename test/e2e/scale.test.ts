/**
 * A large cluster on a real control plane, whose nodes are KWOK's: plans, Jobs and statuses are what plain matching says, while everything
 * comes, changes and goes. Takes minutes, so it is only in test:long; what it took is printed. SCALE_NODES makes it smaller.
 */
import { markdown } from "../bench/report";
import { onlyOn } from "../support/e2e/hooks";
import { KwokCluster } from "../support/kwok/cluster";
import { Scenario } from "../support/kwok/scenario";
import { long } from "../support/slow";

const NODES = Number(process.env["SCALE_NODES"] ?? 1_000);
const SIZE = { nodes: NODES, pods: NODES * 10, trafficControls: Math.ceil(NODES * 0.3) };
const JOBS = Math.ceil(NODES / 20);

long(`${NODES} nodes of KWOK`, function () {
  this.timeout(1_800_000);

  it("have the plans and statuses that matching says, and Jobs that end, while everything comes, changes and goes", async function () {
    onlyOn("ovs", this, "it has no Pod network");
    const cluster = await KwokCluster.start();
    try {
      const scenario = new Scenario(cluster, SIZE);
      try {
        await scenario.populate();
        await scenario.oneShot(JOBS);
        await scenario.resident();
      } finally {
        await scenario.stop();
        console.log(markdown(["what", "figure"], scenario.figures).replace(/^/gm, "      "));
      }
    } finally {
      await cluster.stop();
    }
  });
});
