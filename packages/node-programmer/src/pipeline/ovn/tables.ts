/**
 * Where our flows stand on OVN's integration bridge. OVN's own tables end below 100; two of them are shared, 0 (physical to
 * logical) and 65 (logical to physical, ovn-architecture(7)). The private ones have the numbers of a switched bridge.
 *
 *   table 0                                                                          table 0 again
 *   ┌────────────────────┐   ┌───────┐   ┌─────────┐   ┌────────┐                     ┌───────────────────────────┐
 *   │ sent by a selected ├──►│ ENTRY ├──►│ ALREADY ├──►│ SOURCE ├─┐        ┌─ sent ──►│ OVN: switches, routers,   │
 *   │ Pod (reg14 is 0)   │   └───────┘   └─────────┘   └────────┘ │  ┌─────┴─────┐   │ load balancers, ACLs      │
 *   └────────────────────┘       ▲                   ┌─────▼──────┴┐ │ HAND_BACK │   └─────────────┬─────────────┘
 *   ┌────────────────────┐       │                   │ DESTINATION │ └─────▲───┬─┘                 ▼
 *   │ 65: OVN is about to├───────┘                   └─────┬───────┘       │   │ received   ┌─────────────┐
 *   │ deliver to one     │             ┌─────┐   ┌──────┐  │   ┌──────────┐│   └───────────►│ 65: OVN's   │
 *   └────────────────────┘             │ ACT │◄──┤ COPY │  └──►│ REDIRECT ├┴──► device      │ own output  │
 *                                      └─────┘   └──────┘      └──────────┘                 └─────────────┘
 *
 * What comes back from a device is put where it was: a packet that was sent by a Pod enters table 0 as if it came from the Pod,
 * one that was for a Pod has passed the pipeline and is given to it.
 */

/** OVN's: a packet comes from a port. */
export const PHYSICAL_TO_LOGICAL = 0;

/** OVN's: a packet leaves by a port; `reg15=PORT KEY,metadata=DATAPATH KEY actions=output:PORT`. */
export const LOGICAL_TO_PHYSICAL = 65;

/** ENTRY ► [ALREADY] ► SOURCE. Which targets have had a copy when the packet was sent. The number is VLAN's elsewhere. */
export const ALREADY = 241;

/** Registers 0 to 9 are OVN's scratch of one pipeline, dead at both places; it clears them before the next one. */
const RULE_REGISTERS = 7;
/** One bit per rule, in reg0 to reg6. */
export const OVN_RULE_BITS = 32 * RULE_REGISTERS;

/** One bit per target that has had a copy of the packet already. */
export const ALREADY_REGISTER = "reg7";
export const MOST_TARGETS = 32;

/** The sender's redirect in the lower half, the receiver's in the upper one. */
export const REDIRECT_REGISTER = "reg8";

/** What we know of the packet while it is in our tables. */
export const STATE_REGISTER = "reg9";
/** Some rule wants a copy. */
export const WANTED = 0x1;
/** OVN is about to deliver it; else a Pod has just sent it. */
export const RECEIVED = 0x2;

/** Before table 0: OVN's flow for the port overwrites it. 0: not seen by us. */
export const SEEN_REGISTER = "reg14";
export const SEEN = 0x1;

/** In table 65: bit 31 of OVN's flags, which no switch uses. 1: not to be looked at again. */
export const FLAGS_REGISTER = "reg10";
export const LOOKED_AT = 0x80000000;

/**
 * The highest byte of the tunnel's number is all that lives from table 0 to table 65, through routers and connection tracking,
 * and is seen by nobody else: OVN writes the lower three bytes when a packet leaves by a tunnel, no tunnel has more than those,
 * and Open vSwitch forgets it where a packet goes to another bridge. (pkt_mark would go along to the node, and the userspace
 * datapath has no routes for tunnels of marked packets.)
 */
export const MARK = "tun_id";
/**
 * The option in which OVN's Geneve tunnels carry a packet's logical ports (ovn-architecture(7)). ovn-controller maps it to the
 * first free field, and nobody else maps any on its bridge. It is critical: who does not know it has to drop the packet
 * (RFC 8926, section 3.5), as Linux does.
 */
export const PORTS_OPTION = "tun_metadata0";

/** The packet has been inside a device on this node. */
export const INSPECTED = 0x80;
/** The lower six bits say which targets have had a copy. */
export const COPIED = 0x40;
export const COPIED_MASK = 0x7f;
export const WHOLE_MARK = 0xff;
/** Sets of targets that can be told apart; packets of a further one are copied twice between two selected Pods. */
export const MOST_SETS = 64;

/** A value of that byte as the field has it. */
export function mark(byte: number): string {
  return byte === 0 ? "0" : `0x${(BigInt(byte) << 56n).toString(16)}`;
}
