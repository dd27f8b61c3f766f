/**
 * How a CNI marks the port of a Pod. One small module per CNI; adding one is adding a file and a line in `dialects`.
 */
import type { PortView } from "../ovs";
import { ovsCni } from "./ovs-cni";

/** A port that belongs to a Pod's interface. */
export interface Attachment {
  port: PortView;
  /** UID of the Pod, as the CNI was told. */
  podUid: string;
  /** Name of the interface inside the Pod. */
  iface: string;
  /** Path of the network namespace on the node, as the CNI was told; null if the CNI does not say. */
  netns: string | null;
  /** MAC addresses that the CNI itself has written down. */
  macs: readonly string[];
}

/** null: not a Pod's port in this dialect. */
export type Dialect = (port: PortView) => Attachment | null;

const dialects: readonly Dialect[] = [ovsCni];

export function attachmentOf(port: PortView): Attachment | null {
  for (const dialect of dialects) {
    const found = dialect(port);
    if (found) return found;
  }
  return null;
}
