/**
 * The MAC addresses behind a Pod's port. In order: what the CNI wrote down, what the Pod's network namespace says, what
 * the API knows, what the bridge has learned. Owned by the reconciler.
 */
import type { Appctl } from "ovs-ofctl-wrapper";
import { parseFdb } from "./fdb";
import type { Attachment } from "./dialect";
import type { AttachedPort, FoundPod } from "./find";
import type { PodNamespaces } from "./netns";

export class PodMacs {
  constructor(
    private readonly namespaces: PodNamespaces,
    private readonly appctl: Appctl,
  ) {}

  /** By the UUID of the port row; a port of which nothing is known has an empty list. */
  async read(pods: readonly FoundPod[]): Promise<Map<string, readonly string[]>> {
    const found = new Map<string, readonly string[]>();
    const unknown: AttachedPort[] = [];
    // Asked for already while Open vSwitch is still opening the port.
    for (const attachment of pods.flatMap(({ coming }) => coming)) void this.inside(attachment);
    const asked: Promise<void>[] = [];
    for (const { pod, ports } of pods)
      for (const attached of ports) {
        const take = (macs: readonly string[]): void => {
          const known = macs.length > 0 ? macs : (pod.macs ?? []);
          found.set(attached.port.uuid, distinct(known));
          if (known.length === 0) unknown.push(attached);
        };
        // A thousand Pods whose answers are there already need no promise each.
        const macs = attached.macs.length > 0 ? attached.macs : this.inside(attached);
        if (macs instanceof Promise) asked.push(macs.then(take));
        else take(macs);
      }
    await Promise.all(asked);
    await this.learned(unknown, (attached, macs) => found.set(attached.port.uuid, macs));
    return found;
  }

  /** Forgets what a namespace said if the Pod now speaks with another address. Called now and then. */
  async verify(pods: readonly FoundPod[]): Promise<void> {
    const known = await this.read(pods);
    const attached = pods.flatMap(({ ports }) => ports);
    await this.learned(attached, (each, macs) => {
      const before = known.get(each.port.uuid) ?? [];
      if (macs.length > 0 && !macs.some((mac) => before.includes(mac))) this.namespaces.forget(each.port.uuid);
    });
  }

  private inside(attached: Attachment): string[] | Promise<string[]> {
    const mac = this.namespaces.mac(attached);
    return mac instanceof Promise ? mac.then(listed) : listed(mac);
  }

  private async learned(
    attached: readonly AttachedPort[],
    onLearned: (attached: AttachedPort, macs: string[]) => void,
  ): Promise<void> {
    const bridges = new Set(attached.map(({ port }) => port.bridge));
    await Promise.all(
      [...bridges].map(async (bridge) => {
        const shown = await this.appctl.command("ovs-vswitchd", "fdb/show", bridge);
        if (!shown.ok) return;
        const learned = parseFdb(shown.value);
        for (const each of attached) if (each.port.bridge === bridge) onLearned(each, learned.get(each.ofport) ?? []);
      }),
    );
  }
}

function listed(mac: string | null): string[] {
  return mac === null ? [] : [mac];
}

function distinct(macs: readonly string[]): readonly string[] {
  const lower = macs.map((mac) => mac.toLowerCase());
  return lower.length < 2 ? lower : [...new Set(lower)];
}
