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

/** One redirecting rule on this bridge. */
export interface Redirect {
  /** UID of the TrafficControl; its hash is in the cookies of its flows, which count its packets. */
  uid: string;
  /** OpenFlow port that the packets leave through; null while it is missing: they are dropped, not let past the device. */
  target: number | null;
  /** 1 to 65535; unique on the bridge. */
  number: number;
}

/** A local port to which packets come back whose way nobody has learned. */
export interface Home {
  ofport: number;
  /** Lower case, colons. */
  macs: readonly string[];
  /** VLAN IDs in the frames that the port itself sends, 0 for untagged ones; "any" for whatever they carry. */
  frames: readonly number[] | "any";
  /** VLAN whose tag is taken off before a frame leaves through the port; 0 for none. */
  native: number;
  /** What it sends is taken away. Looked at on OVN only, as the next one. */
  sends: boolean;
  /** What is for it is taken away. */
  receives: boolean;
}

/** A Pod of another bridge of the node, whose packets come back on this one. */
export interface Visitor {
  /** OpenFlow port of the patch pair that leads to its bridge. */
  by: number;
  macs: readonly string[];
}

/** What a bridge needs so that packets can be taken away and come back. */
export interface Redirection {
  redirects: readonly Redirect[];
  /** OpenFlow ports through which packets come back, those of redirects that have just ended included. */
  returns: readonly number[];
  homes: readonly Home[];
  visitors: readonly Visitor[];
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
  /** Number of the redirect that acts on what the Pod sends. */
  egressRedirect?: number | undefined;
  /** Number of the redirect that acts on what is addressed to the Pod. */
  ingressRedirect?: number | undefined;
  /** On OVN: the match of OVN's own flow that delivers to the port; absent while OVN has not bound it. */
  key?: string | undefined;
}

/** A port whose untagged frames belong to a VLAN: an access port, or a trunk with a native VLAN. */
export interface TaggedPort {
  ofport: number;
  tag: number;
  /** dot1q-tunnel: every frame belongs to `tag`, whatever header it carries. */
  tunnel: boolean;
}

/** Packets that arrive from another bridge of the node and leave through a target here. */
export interface Relay {
  /** OpenFlow port number of the patch port. */
  from: number;
  /** The target, or the patch port towards its bridge. */
  target: number;
  /** They are no copies but redirected. */
  inspected: boolean;
  /** And they come back on this bridge: they go back through `from` then. */
  returns: boolean;
}

/** Outer header of packets that are copies already: towards a collector. Never copied again. */
export interface CarriedTunnel {
  remoteIP: string;
  /** UDP port, or null for GRE and ERSPAN (IP protocol 47). */
  udpPort: number | null;
}

/** Pipelines that there are flows for, and those where Mirror rows of the database take the copies. */
export type Pipeline = "Switched" | "OVN" | "MirrorRows";

export interface BridgeInput {
  pipeline: Pipeline;
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
  /** On OVN: packets leave by Geneve tunnels of ours, in which the option of OVN's own tunnels must not travel along. */
  leavesByGeneve?: boolean;
  /** Absent if no redirect has to do with the bridge. */
  redirection?: Redirection | undefined;
}
