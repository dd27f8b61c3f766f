/** A plan from a file, and the status into another: oneShot mode and tests. Called by main. */
import { readFile, rename, writeFile } from "node:fs/promises";
import { watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import path from "node:path";
import type { NodeTrafficPlan, PlanStatus } from "@ovs-traffic-control/api";
import type { PlanSource, StatusSink } from "./options";

/** Follows the file: replace it by rename(2), a half-written one is not a plan. A file that is gone is no plan. */
export class FilePlan implements PlanSource {
  private watcher: FSWatcher | null = null;
  private last = "";

  constructor(private readonly file: string) {}

  async start(onPlan: (plan: NodeTrafficPlan | null) => void): Promise<void> {
    this.watcher = watch(path.dirname(this.file), (_event, name) => {
      if (name === null || name === path.basename(this.file)) void this.read(onPlan);
    });
    await this.read(onPlan);
  }

  stop(): void {
    this.watcher?.close();
  }

  private async read(onPlan: (plan: NodeTrafficPlan | null) => void): Promise<void> {
    const text = await readFile(this.file, "utf8").catch(() => null);
    if (text === this.last || text === "") return;
    let plan: NodeTrafficPlan | null;
    try {
      plan = text === null ? null : (JSON.parse(text) as NodeTrafficPlan);
    } catch {
      return;
    }
    this.last = text ?? "";
    onPlan(plan);
  }
}

export class FileStatus implements StatusSink {
  constructor(private readonly file: string) {}

  async write(status: PlanStatus): Promise<void> {
    const half = `${this.file}.new`;
    await writeFile(half, `${JSON.stringify(status, null, 2)}\n`);
    await rename(half, this.file);
  }
}
