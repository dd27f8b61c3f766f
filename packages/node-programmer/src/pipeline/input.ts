/** What the compiler needs to know about one bridge: the plan with every name resolved to an OpenFlow port number. */

/** One mirroring rule on this bridge. */
export interface Tap {
  /** UID of the TrafficControl; its hash is in the cookie of its copy flow, which is what counts its packets. */
  uid: string;
  /** OpenFlow port that the copies leave through: the target itself, or the patch port towards its bridge. */
  target: number;
  /** The rule's bit, 0 to RULE_BITS - 1; unique on the bridge. */
  bit: number;
}

/** One port of a selected Pod. */
export interface PodPort {
  ofport: number;
  /** Bits of the rules that want what the Pod sends. */
  egress: readonly number[];
  /** Bits of the rules that want what is addressed to the Pod. */
  ingress: readonly number[];
  /** Lower case, colons. A unicast frame to one of them in one of `vlans` is addressed to the Pod. */
  macs: readonly string[];
  /** VLANs in which the Pod lives: 0 for untagged. "any" for a trunk of too many VLANs to name. */
  vlans: readonly number[] | "any";
}

/** A port whose untagged frames belong to a VLAN: an access port, or a trunk with a native VLAN. */
export interface TaggedPort {
  ofport: number;
  tag: number;
  /** dot1q-tunnel: every frame belongs to `tag`, whatever header it carries. */
  tunnel: boolean;
}

/** Copies that arrive from another bridge of the node and leave through a target here. */
export interface Relay {
  /** OpenFlow port number of the patch port. */
  from: number;
  target: number;
}

/** Outer header of packets that are copies already: towards a collector. Never copied again. */
export interface CarriedTunnel {
  remoteIP: string;
  /** UDP port, or null for GRE and ERSPAN (IP protocol 47). */
  udpPort: number | null;
}

export interface BridgeInput {
  planHash: string;
  /** In order of precedence: where two rules share a target, the first that wants a packet counts it. */
  taps: readonly Tap[];
  pods: readonly PodPort[];
  /** All ports of the bridge that have a tag, whoever owns them. */
  taggedPorts: readonly TaggedPort[];
  relays: readonly Relay[];
  /** OpenFlow ports of bond members whose packets NORMAL drops, so that they are nobody's; absent for none. */
  idleMembers?: readonly number[];
  /** OpenFlow ports that never inject anything: targets, and our ends of patch pairs that only send. */
  silentPorts: readonly number[];
  carriedTunnels: readonly CarriedTunnel[];
}
