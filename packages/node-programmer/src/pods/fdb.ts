/**
 * What the bridge itself has learned: MAC addresses behind each port, from `ovs-appctl fdb/show`. Tells of a Pod's MAC
 * address where nobody else does, and that one has changed. Pure.
 */

/** OpenFlow port → MAC addresses learned on it, in any VLAN. */
export function parseFdb(text: string): Map<number, string[]> {
  const learned = new Map<number, string[]>();
  for (const line of text.split("\n")) {
    const [, port, mac] = /^\s*(\d+)\s+\d+\s+([0-9a-f]{2}(?::[0-9a-f]{2}){5})\s/i.exec(line) ?? [];
    if (port === undefined || mac === undefined) continue;
    learned.set(Number(port), [...(learned.get(Number(port)) ?? []), mac.toLowerCase()]);
  }
  return learned;
}
