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
  /** One read after the other: of two at once the older could end last, and its plan would stay. */
  private reading = Promise.resolve();

  /** `text`: what is in a file; rejects if there is none. */
  constructor(
    private readonly file: string,
    private readonly text = (file: string): Promise<string> => readFile(file, "utf8"),
  ) {}

  start(onPlan: (plan: NodeTrafficPlan | null) => void): Promise<void> {
    const read = (): Promise<void> => (this.reading = this.reading.then(() => this.read(onPlan)));
    this.watcher = watch(path.dirname(this.file), (_event, name) => {
      if (name === null || name === path.basename(this.file)) void read();
    });
    return read();
  }

  stop(): void {
    this.watcher?.close();
    this.watcher = null;
  }

  private async read(onPlan: (plan: NodeTrafficPlan | null) => void): Promise<void> {
    const text = await this.text(this.file).catch(() => null);
    if (this.watcher === null || text === this.last || text === "") return;
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
