/** OpenFlow 1.5 messages as bytes: what this package sends, and the parts of what it receives. Called by Connection. */
import type { FlowEvent } from "../monitor";

/** The version's number on the wire. Open vSwitch 2.17 and newer speak it unless the bridge's `protocols` say otherwise. */
const VERSION = 6;
export const TYPE = {
  hello: 0,
  error: 1,
  echoRequest: 2,
  echoReply: 3,
  multipartRequest: 18,
  multipartReply: 19,
  barrierRequest: 20,
  barrierReply: 21,
  bundleControl: 33,
  bundleAdd: 34,
  flowMod: 14,
} as const;
const DESCRIPTION = 0;
const FLOW_MONITOR = 16;
const HEADER = 8;
const ATOMIC_AND_ORDERED = 3;
const STEP = { open: 0, commit: 4, discard: 6 } as const;
const COMMIT_REPLY = 5;

function message(type: number, xid: number, body: Buffer): Buffer {
  const whole = Buffer.alloc(HEADER + body.length);
  writeHeader(whole, 0, type, xid);
  body.copy(whole, HEADER);
  return whole;
}

/** The header of a message that reaches from `at` to the end of the buffer. */
function writeHeader(buffer: Buffer, at: number, type: number, xid: number): void {
  buffer[at] = VERSION;
  buffer[at + 1] = type;
  buffer.writeUInt16BE(buffer.length - at, at + 2);
  buffer.writeUInt32BE(xid, at + 4);
}

/** With the bitmap of versions, which has one bit only. */
export function hello(): Buffer {
  return message(TYPE.hello, 0, Buffer.from([0, 1, 0, 8, 0, 0, 0, 1 << VERSION]));
}

/** Whether the peer's hello allows our version: by its bitmap or, without one, by its own version being the highest. */
export function agrees(received: Buffer): boolean {
  if (received.length < HEADER + 8) return received[0]! >= VERSION;
  return (received.readUInt32BE(HEADER + 4) & (1 << VERSION)) !== 0;
}

export function echoReply(request: Buffer): Buffer {
  return message(TYPE.echoReply, request.readUInt32BE(4), request.subarray(HEADER));
}

export function barrier(xid: number): Buffer {
  return message(TYPE.barrierRequest, xid, Buffer.alloc(0));
}

export function bundleStep(xid: number, step: keyof typeof STEP): Buffer {
  const body = Buffer.alloc(8);
  body.writeUInt32BE(xid, 0);
  body.writeUInt16BE(STEP[step], 4);
  body.writeUInt16BE(ATOMIC_AND_ORDERED, 6);
  return message(TYPE.bundleControl, xid, body);
}

/** `xid` is the number of this message, by which a complaint about it is known. */
export function bundleAdd(bundle: number, xid: number, flowMod: Buffer): Buffer {
  const body = Buffer.alloc(8 + HEADER + flowMod.length);
  body.writeUInt32BE(bundle, 0);
  body.writeUInt16BE(ATOMIC_AND_ORDERED, 6);
  writeHeader(body, 8, TYPE.flowMod, xid);
  flowMod.copy(body, 8 + HEADER);
  return message(TYPE.bundleAdd, xid, body);
}

export function isCommitReply(received: Buffer): boolean {
  return received[1] === TYPE.bundleControl && received.readUInt16BE(HEADER + 4) === COMMIT_REPLY;
}

/** Asks who the switch is. */
export function describe(xid: number): Buffer {
  return message(TYPE.multipartRequest, xid, Buffer.from([0, DESCRIPTION, 0, 0, 0, 0, 0, 0]));
}

/** Its software's version, such as "2.17.12": behind the multipart header and two texts of 256 bytes. */
export function softwareOf(description: Buffer): string {
  const at = HEADER + 8 + 2 * 256;
  return description.toString("latin1", at, at + 32).replace(/\0.*/s, "");
}

/** Asks for every change of any flow from now on, without actions. Changes made on the same connection come abbreviated. */
export function watchFlows(xid: number): Buffer {
  const body = Buffer.alloc(32);
  body.writeUInt16BE(FLOW_MONITOR, 0);
  body.writeUInt32BE(0xffffffff, 12); // any output port
  body.writeUInt32BE(0xffffffff, 16); // any group
  body.writeUInt16BE(0b1110, 20); // added, removed, modified
  body[22] = 0xff; // all tables
  body.writeUInt16BE(1, 24); // a match of OXM fields,
  body.writeUInt16BE(4, 26); // of which there are none
  return message(TYPE.multipartRequest, xid, body);
}

const EVENTS: Record<number, FlowEvent["event"]> = { 1: "ADDED", 2: "DELETED", 3: "MODIFIED" };
const REASONS = ["idle", "hard", "delete", "group_delete", "meter_delete", "eviction"];

/** The flow events of a multipart reply; none if it is the reply to something else. */
export function flowEvents(received: Buffer): FlowEvent[] {
  const found: FlowEvent[] = [];
  if (received.readUInt16BE(HEADER) !== FLOW_MONITOR) return found;
  for (let at = HEADER + 8; at + 4 <= received.length; at += received.readUInt16BE(at)) {
    const event = EVENTS[received.readUInt16BE(at + 2)];
    if (received.readUInt16BE(at) === 0) break;
    // Abbreviated: a change of our own. Paused and resumed: too many at once, they follow later.
    if (event === undefined) continue;
    const reason = event === "DELETED" ? REASONS[received[at + 5]!] : undefined;
    const table = received[at + 4]!;
    const cookie = received.readBigUInt64BE(at + 16);
    found.push({ event, ...(reason === undefined ? {} : { reason }), table, cookie });
  }
  return found;
}
