/**
 * The private part of a bridge's pipeline: where each table stands, and which register carries what.
 * Read by the flow builders and by whoever reads a dump; the numbers are an interface, because other software on the
 * bridge must not use them.
 *
 *   table 0 (shared with the administrator)
 *   ┌───────────────┐  not seen yet   ┌───────┐ IP ┌──────┐   ┌────────┐   ┌─────────────┐   ┌─────┐ copies ┌──────┐
 *   │ steering flow ├────────────────►│ ENTRY ├───►│ VLAN ├──►│ SOURCE ├──►│ DESTINATION ├──►│ ACT ├───────►│ COPY │
 *   │ (mark is 0)   │                 └─┬───┬─┘    └──────┘   └────────┘   └─────────────┘   └──┬──┘        └──────┘
 *   ├───────────────┤  ARP, ND, the rest│   │ from an inspection device                         │ the packet itself
 *   │ the           │                   │   │  ┌─────────┐  ┌────────┐                     ┌────▼─────┐
 *   │ administrator's│  mark := 1       ▼   └─►│ LEARNED ├─►│ RETURN │                     │ REDIRECT ├──► device
 *   │ own flows     │◄──────────── HAND_BACK ◄─┴─────────┴──┴────────┘◄────────────────────┴──────────┘
 *   └───────────────┘                                                       nobody redirects it
 */

/** Shared with everybody on the bridge; exactly one flow of ours, the one with the highest priority there is. */
export const STEER = 0;

/** steering ► [ENTRY] ► VLAN. What kind of packet is this, and may it be copied at all? */
export const ENTRY = 240;

/** ENTRY ► [VLAN] ► SOURCE. Which VLAN is it in: the tag of an access port, else what the frame says. */
export const VLAN = 241;

/** VLAN ► [SOURCE] ► DESTINATION. Which rules want it because of who sent it: one flow per Pod port. */
export const SOURCE = 242;

/** SOURCE ► [DESTINATION] ► ACT. Which rules want it because of who shall get it: one flow per (VLAN, MAC). */
export const DESTINATION = 243;

/** DESTINATION ► [ACT] ► HAND_BACK. Asks COPY once for each target port, if any rule wants the packet. */
export const ACT = 244;

/** Called from ACT with the target port in place of in_port: one flow per rule, a copy if the rule's bit is set. */
export const COPY = 245;

/** ACT ► [REDIRECT] ► HAND_BACK. The sender's redirect, else the receiver's, takes the packet away to a device. */
export const REDIRECT = 246;

/** Called from ENTRY for what a device gives back: where each sender's packets came from, written by learn() in REDIRECT. */
export const LEARNED = 247;

/** ENTRY ► [RETURN] ► HAND_BACK. Gives a packet that comes back its own in_port again. */
export const RETURN = 248;

/** ENTRY, REDIRECT or RETURN ► [HAND_BACK] ► table 0. Leaves no trace but the mark, and lets the packet go its own way. */
export const HAND_BACK = 249;

/** First and last private table. A foreign flow in between makes the bridge unusable for us. */
export const PRIVATE_TABLES = { first: 240, last: 249 } as const;

/**
 * Bit 0 of MARK_REGISTER: the packet has been here. Bit 1: some rule wants a copy. Bits 2 and 3: how far the way back from
 * a device is known. All but bit 0 are cleared before hand-back.
 */
export const MARK_REGISTER = "reg14";
export const SEEN = 0x1;
export const WANTED = 0x2;

/** Bits 2 and 3 of MARK_REGISTER: not coming back, or its in_port is the right one again. */
export const AT_HOME = 0x0;
/** It comes from a device, and nobody has said yet where it belongs. */
export const COMING_BACK = 0x4;
/** It has left for the bridge that it came from. */
export const GONE_ON = 0x8;
export const WAY_BACK = 0xc;

/** The effective VLAN, 0 for none. */
export const VLAN_REGISTER = "reg13";

/** The sender's redirect in the lower half, the receiver's in the upper one; 0 for none. */
export const REDIRECT_REGISTER = "reg12";

/** One bit per rule, 32 to a register, in reg0 to reg11. */
const RULE_REGISTERS = 12;
export const RULE_BITS = 32 * RULE_REGISTERS;
