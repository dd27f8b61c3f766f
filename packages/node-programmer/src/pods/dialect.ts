/**
 * How a CNI marks the port of a Pod. One small module per CNI; adding one is adding a file and a line in `dialects`
 * (docs/guide/dialects.md).
 */
import type { PortView } from "../ovs";
import { antrea } from "./antrea";
import { kubeOvn } from "./kube-ovn";
import { ovnKubernetes } from "./ovn-kubernetes";
import { ovsCni } from "./ovs-cni";

/** A port that belongs to a Pod's interface. */
export interface Attachment {
  port: PortView;
  pod: PodIdentity;
  /** Name of the interface inside the Pod; where the CNI does not say it, what it calls the attachment. */
  iface: string;
  /** Path of the network namespace on the node, as the CNI was told; null if the CNI does not say. */
  netns: string | null;
  /** MAC addresses that the CNI itself has written down. */
  macs: readonly string[];
}

/**
 * Whose port it is. A UID says it once and for all. A name may be a former Pod's: what it had is told apart by the age of
 * its network namespace and by its addresses.
 */
export type PodIdentity = { uid: string } | { namespace: string; name: string; addresses: readonly string[] };

/** null: not a Pod's port in this dialect. Asked only for ports that are not ours. */
export type Dialect = (port: PortView) => Attachment | null;

const dialects: readonly Dialect[] = [ovsCni, kubeOvn, ovnKubernetes, antrea];

export function attachmentOf(port: PortView): Attachment | null {
  if (port.ours) return null;
  for (const dialect of dialects) {
    const found = dialect(port);
    if (found) return found;
  }
  return null;
}

/** The Pod for messages. */
export function nameOf(pod: PodIdentity): string {
  return "uid" in pod ? pod.uid : `${pod.namespace}/${pod.name}`;
}
