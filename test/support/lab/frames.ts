/** Frames made by hand, for what no Pod would send, or not just then. Used by the packet tests. */
import type { LabNode } from "./node";

export interface HandmadeFrame {
  source: string;
  destination: string;
  /** VLAN ID of its 802.1Q header; absent for an untagged frame. */
  vlan?: number;
  /** 0x0800 with an IPv4 header of 192.0.2.1 to 192.0.2.2 if absent. */
  etherType?: number;
}

/** Of the experimental protocol 253, with the right checksum: br_netfilter drops what has a wrong one. */
const IPV4 = "450000140000000040fdf5e9c0000201c0000202";

/** Sends the frames on a device of the node, in order; they come out at its other end. */
export async function sendFrames(node: LabNode, device: string, frames: readonly HandmadeFrame[]): Promise<void> {
  const script = [
    "import socket",
    "s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    `s.bind(("${device}", 0))`,
    ...frames.map((frame) => `s.send(bytes.fromhex("${hexOf(frame)}"))`),
  ];
  await node.exec("python3", "-c", script.join("\n"));
}

function hexOf({ source, destination, vlan, etherType }: HandmadeFrame): string {
  const addresses = `${destination}${source}`.replaceAll(":", "");
  const tag = vlan === undefined ? "" : `8100${vlan.toString(16).padStart(4, "0")}`;
  const payload = etherType === undefined ? `0800${IPV4}` : etherType.toString(16).padStart(4, "0");
  return `${addresses}${tag}${payload}`.padEnd(120, "0");
}
