/** The latest Pod of each Job: how a node's programmer is doing. Fed by the informer, asked for every node of every status. */
import type { ProgrammerPodFacts } from "./facts";

export class ProgrammerPods {
  private readonly ofJob = new Map<string, Map<string, ProgrammerPodFacts>>();

  change(key: string, before: ProgrammerPodFacts | undefined, after: ProgrammerPodFacts | undefined): void {
    if (before !== undefined && before.job !== after?.job) {
      const pods = this.ofJob.get(before.job);
      pods?.delete(key);
      if (pods?.size === 0) this.ofJob.delete(before.job);
    }
    if (after === undefined) return;
    const pods = this.ofJob.get(after.job) ?? new Map<string, ProgrammerPodFacts>();
    this.ofJob.set(after.job, pods.set(key, after));
  }

  latestOf(job: string): ProgrammerPodFacts | undefined {
    let latest: ProgrammerPodFacts | undefined;
    for (const pod of this.ofJob.get(job)?.values() ?? [])
      if (latest === undefined || pod.createdAt > latest.createdAt) latest = pod;
    return latest;
  }
}
