/** When the flows of a plan are in force, seen from another OpenFlow connection than the programmer's. Used by the sections. */
import { once } from "node:events";
import { KIND, cookie, shortHash } from "../../../packages/node-programmer/src/pipeline";
import type { ConnectionMonitor } from "../../../packages/ovs-ofctl-wrapper/src/index";
import type { LabNode } from "../../support/lab";

export class InForce {
  private constructor(private readonly monitor: ConnectionMonitor) {}

  static async watch(node: LabNode): Promise<InForce> {
    const monitor = node.openflow.monitor("br-int");
    await once(monitor, "up");
    return new InForce(monitor);
  }

  /** Time at which the plan's marker comes, which is in one bundle with everything else; on the clock of performance.now(). */
  marker(hash: string): Promise<number> {
    const wanted = cookie(KIND.marker, shortHash(hash));
    return new Promise((resolve) => {
      const look = ({ event, cookie: seen }: { event: string; cookie: bigint }): void => {
        if (event === "DELETED" || seen !== wanted) return;
        this.monitor.removeListener("flow", look);
        resolve(performance.now());
      };
      this.monitor.on("flow", look);
    });
  }

  close(): void {
    this.monitor.close();
  }
}
