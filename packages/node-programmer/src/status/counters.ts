/**
 * Packets and bytes per rule from the counters of the flows that copy or redirect for it. Those restart at 0 with ovs-vswitchd, with a new target,
 * with a new programmer's bits; what a rule shows never goes back.
 */
import type { FlowEntry } from "ovs-ofctl-wrapper";
import { KIND, kindOf, shortHash, valueOf } from "../pipeline";

export interface Count {
  packets: number;
  bytes: number;
}

interface Track {
  /** Sum of what flows that are gone had counted. */
  before: Count;
  /** What the present flows had counted when last looked at. */
  last: Count;
}

export class Counters {
  private readonly tracks = new Map<number, Track>();
  private readonly floors = new Map<number, Count>();

  /** What a former programmer has published: the least that may be shown. */
  seed(uid: string, floor: Count): void {
    this.floors.set(shortHash(uid), floor);
  }

  /** `flows`: all of ours on all bridges. */
  observe(flows: readonly FlowEntry[]): void {
    const sums = new Map<number, Count>();
    for (const flow of flows) {
      if (kindOf(flow.cookie) !== KIND.copy && kindOf(flow.cookie) !== KIND.redirect) continue;
      const sum = sums.get(valueOf(flow.cookie)) ?? { packets: 0, bytes: 0 };
      sums.set(valueOf(flow.cookie), { packets: sum.packets + flow.packets, bytes: sum.bytes + flow.bytes });
    }
    for (const [rule, now] of sums) {
      const { before, last } = this.tracks.get(rule) ?? this.first(rule, now);
      const restarted = now.packets < last.packets;
      const kept = restarted ? { packets: before.packets + last.packets, bytes: before.bytes + last.bytes } : before;
      this.tracks.set(rule, { before: kept, last: now });
    }
  }

  /** undefined if nothing has been counted yet. */
  of(uid: string): Count | undefined {
    const rule = shortHash(uid);
    const track = this.tracks.get(rule);
    if (!track) return this.floors.get(rule);
    return { packets: track.before.packets + track.last.packets, bytes: track.before.bytes + track.last.bytes };
  }

  /** What the present flows have not counted of what was published had been counted by flows before them. */
  private first(rule: number, now: Count): Track {
    const floor = this.floors.get(rule) ?? { packets: 0, bytes: 0 };
    const before = {
      packets: Math.max(0, floor.packets - now.packets),
      bytes: Math.max(0, floor.bytes - now.bytes),
    };
    return { before, last: now };
  }
}
