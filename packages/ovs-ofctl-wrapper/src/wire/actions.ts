/** An action list as OpenFlow 1.5 instructions, Nicira's extensions included (ovs-actions(7)). Called by the flow-mod encoder. */
import { actionList } from "../canonical-actions";
import { BY_NAME } from "../fields";
import { Bytes } from "./bytes";
import { writeLearn } from "./learn";
import { nicira, readRange } from "./subfield";

const GOTO_TABLE = 1;
const APPLY_ACTIONS = 4;
const OUTPUT = 0;
const POP_VLAN = 18;
const SET_FIELD = 25;
const COPY_FIELD = 28;
const RESUBMIT_TABLE = 14;
const OUTPUT_TRUNC = 39;
const DELETE_FIELD = 50;
/** OXM header of tun_metadata0, whose length Open vSwitch does not look at; those of the next ones follow. */
const TUN_METADATA = { first: (0x0001 << 16) | (40 << 9) | 124, fields: 64 };
/** In place of a port number: the port that the packet came from. */
const IN_PORT = 0xfff8;
const RESERVED_PORTS: Record<string, number> = {
  IN_PORT: 0xfffffff8,
  TABLE: 0xfffffff9,
  NORMAL: 0xfffffffa,
  FLOOD: 0xfffffffb,
  ALL: 0xfffffffc,
  LOCAL: 0xfffffffe,
};
/** Ports from here on are reserved; a flow that names one by number is left to ovs-ofctl. */
const FIRST_RESERVED = 0xff00;

/** Thousands of flows have a handful of action lists between them. */
const known = new Map<string, Buffer | null>();
const REMEMBERED = 1000;

/** The instructions as bytes; null if there is an action that this encoder does not know. */
export function instructions(actions: string): Buffer | null {
  const before = known.get(actions);
  if (before !== undefined) return before;
  if (known.size >= REMEMBERED) known.clear();
  const bytes = new Bytes();
  const encoded = writeInstructions(bytes, actions) ? bytes.take() : null;
  known.set(actions, encoded);
  return encoded;
}

function writeInstructions(bytes: Bytes, actions: string): boolean {
  const list = actionList(actions);
  if (list.length === 0 || (list.length === 1 && list[0] === "drop")) return true;
  const table = /^goto_table:(\d+)$/.exec(list.at(-1)!)?.[1];
  if (table !== undefined) list.pop();
  if (list.length > 0) {
    const start = bytes.length;
    bytes.uint(APPLY_ACTIONS, 2).zeros(6);
    for (const action of list) if (!writeAction(bytes, action)) return false;
    bytes.setLength(start + 2, start);
  }
  if (table === undefined) return true;
  if (Number(table) > 254) return false;
  bytes.uint(GOTO_TABLE, 2).uint(8, 2).uint(Number(table), 1).zeros(3);
  return true;
}

function writeAction(bytes: Bytes, action: string): boolean {
  let found: RegExpExecArray | null;
  if ((found = /^output:(\d+)$/.exec(action))) return writeOutput(bytes, Number(found[1]));
  if (action in RESERVED_PORTS) return writeReserved(bytes, RESERVED_PORTS[action]!);
  if ((found = /^set_field:(0x[0-9a-f]+)(?:\/(0x[0-9a-f]+))?->(\w+)$/.exec(action)))
    return writeSetField(bytes, found[3]!, BigInt(found[1]!), found[2] === undefined ? null : BigInt(found[2]));
  if ((found = /^resubmit\((\d*),(\d+)\)$/.exec(action))) return writeResubmit(bytes, found[1]!, Number(found[2]));
  if ((found = /^move:(\S+)->(\S+)$/.exec(action))) return writeMove(bytes, found[1]!, found[2]!);
  if ((found = /^learn\((.*)\)$/.exec(action))) return writeLearn(bytes, found[1]!);
  if ((found = /^output\(port=(\d+),max_len=(\d+)\)$/.exec(action)))
    return writeTruncated(bytes, Number(found[1]), Number(found[2]));
  if ((found = /^delete_field:tun_metadata(\d+)$/.exec(action))) return writeDeletion(bytes, Number(found[1]));
  if (action !== "pop_vlan") return false;
  bytes.uint(POP_VLAN, 2).uint(8, 2).zeros(4);
  return true;
}

function writeOutput(bytes: Bytes, port: number): boolean {
  return port < FIRST_RESERVED && writeReserved(bytes, port);
}

function writeReserved(bytes: Bytes, port: number): boolean {
  bytes.uint(OUTPUT, 2).uint(16, 2).uint(port, 4).zeros(8);
  return true;
}

function writeSetField(bytes: Bytes, name: string, value: bigint, mask: bigint | null): boolean {
  const field = BY_NAME.get(name);
  if (!field || value >= 1n << BigInt(field.bits) || mask === 0n) return false;
  const size = field.bits / 8;
  const start = bytes.length;
  bytes.uint(SET_FIELD, 2).zeros(2);
  bytes.uint(field.oxm + (mask === null ? size : 0x100 + 2 * size), 4).big(value, size);
  if (mask !== null) bytes.big(mask, size);
  bytes.pad(start);
  bytes.setLength(start + 2, start);
  return true;
}

function writeResubmit(bytes: Bytes, port: string, table: number): boolean {
  if (Number(port) >= FIRST_RESERVED || table > 254) return false;
  nicira(bytes, 16, RESUBMIT_TABLE);
  bytes
    .uint(port === "" ? IN_PORT : Number(port), 2)
    .uint(table, 1)
    .zeros(3);
  return true;
}

function writeTruncated(bytes: Bytes, port: number, length: number): boolean {
  // Open vSwitch refuses less than an Ethernet header.
  if (port >= FIRST_RESERVED || length < 14) return false;
  nicira(bytes, 16, OUTPUT_TRUNC);
  bytes.uint(port, 2).uint(length, 4);
  return true;
}

/** Tunnel metadata is all that Open vSwitch deletes. */
function writeDeletion(bytes: Bytes, field: number): boolean {
  if (field >= TUN_METADATA.fields) return false;
  nicira(bytes, 24, DELETE_FIELD);
  bytes.uint(TUN_METADATA.first + (field << 9), 4).zeros(10);
  return true;
}

function writeMove(bytes: Bytes, fromText: string, toText: string): boolean {
  const from = readRange(fromText);
  const to = readRange(toText);
  if (!from || !to || from.count !== to.count) return false;
  const start = bytes.length;
  bytes.uint(COPY_FIELD, 2).zeros(2).uint(from.count, 2).uint(from.offset, 2).uint(to.offset, 2).zeros(2);
  bytes.uint(from.field.oxm + from.field.bits / 8, 4).uint(to.field.oxm + to.field.bits / 8, 4);
  bytes.pad(start);
  bytes.setLength(start + 2, start);
  return true;
}
