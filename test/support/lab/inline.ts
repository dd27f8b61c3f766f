/** Redirects through inspection devices: their rules, and what can be seen of them. Used by the packet tests of redirects. */
import { eventually } from "../e2e/eventually";
import type { Lab, LabNode, LabPod, LabRule, Packet, Wire } from "../lab";
import { value } from "../lab-result";
import { sendFrames } from "./frames";
import type { HandmadeFrame } from "./frames";

/** A device of a node or Pod. */
export type Place = [LabNode | LabPod, string];

/** The echo requests and replies, IPv4 and IPv6, so that they can be compared. */
export function echoes(packets: readonly Packet[]): string[] {
  return packets
    .filter(({ inner }) => [0, 8, 128, 129].includes(inner.icmpType ?? -1))
    .map(({ inner }) => `${inner.source} ${inner.destination} ${inner.icmpType} ${inner.sequence}`)
    .sort();
}

/** What is seen at each place during the action. */
export async function seen(
  lab: Lab,
  places: Place[],
  action: () => Promise<unknown>,
  filter?: string,
): Promise<Packet[][]> {
  const options = filter === undefined ? {} : { filter };
  const captures = await Promise.all(places.map(([where, device]) => lab.capture(where, device, options)));
  await action();
  return Promise.all(captures.map((capture) => capture.stop()));
}

/** A redirect of the Pods through the device. */
export function through({ target, back }: Wire, pods: LabPod[], more: Partial<LabRule> = {}): LabRule {
  const [targetPort, returnPort] = [{ device: { name: target } }, { device: { name: back } }];
  return { name: "inline", direction: "Both", targetPort, returnPort, pods, ...more };
}

/** MAC address → port number, as the bridge has learned. */
export async function learnedByBridge(node: LabNode): Promise<Map<string, number>> {
  const table = value(await node.appctl.command("ovs-vswitchd", "fdb/show", "br-int"));
  const rows = table.split("\n").map((line) => /^\s*(\d+)\s+\d+\s+([0-9a-f:]{17})\s/.exec(line));
  return new Map(rows.flatMap((row) => (row ? [[row[2]!, Number(row[1])] as const] : [])));
}

/** MAC addresses whose way back is written down. */
export async function learned(node: LabNode): Promise<string[]> {
  const flows = value(await node.openflow.dumpFlows("br-int", { table: 247 }));
  return flows.flatMap(({ match }) => /dl_src=([0-9a-f:]{17})/.exec(match)?.[1] ?? []).sort();
}

/**
 * Makes the bridge forget every way back. The datapath's flows go first: the statistics of packets that have used them
 * would bring what was learned back. What is on its way may be written down once more.
 */
export async function forget(node: LabNode): Promise<void> {
  await eventually("no way back is written down", async () => {
    value(await node.appctl.command("ovs-vswitchd", "revalidator/purge"));
    await node.ofctl("del-flows", "br-int", "table=247");
    return (await learned(node)).length === 0;
  });
}

/** A device in which nothing moves by itself: packets are handed to it, and given back, by hand, at the devices' other ends. */
export async function handDevice(
  lab: Lab,
  node: LabNode,
): Promise<Wire & { giveBack: (...frames: HandmadeFrame[]) => Promise<void> }> {
  await lab.addDevice(node, "hand-t");
  const end = await lab.addDevice(node, "hand-r");
  return { target: "hand-t", back: "hand-r", giveBack: (...frames) => sendFrames(node, end, frames) };
}
