/** The learn action (ovs-actions(7), "The learn action"; NXAST_LEARN and, with a limit, NXAST_LEARN2). Called by the action encoder. */
import { splitTopLevel } from "../flow";
import { toNumber } from "../numbers";
import type { Bytes } from "./bytes";
import { fitting, nicira, readRange } from "./subfield";
import type { BitRange } from "./subfield";

const LEARN = 16;
const LEARN2 = 45;
const SEND_FLOW_REM = 1;
const DELETE_LEARNED = 2;
const DEFAULT_PRIORITY = 32768n;

/** Bits of a specification's head: what is filled in, and whether from a constant. */
const MATCH = 0 << 11;
const LOAD = 1 << 11;
const OUTPUT = 2 << 11;
const CONSTANT = 1 << 13;

/** Writes `learn(text)`; false for an option or specification that is not known here. */
export function writeLearn(bytes: Bytes, text: string): boolean {
  const options = new Map<string, bigint>();
  const specs: string[] = [];
  let flags = 0;
  for (const part of splitTopLevel(text)) {
    const found =
      /^(table|priority|cookie|idle_timeout|hard_timeout|fin_idle_timeout|fin_hard_timeout|limit)=(.*)$/.exec(part);
    const value = found && toNumber(found[2]!);
    if (found && value === null) return false;
    if (found && value !== null) options.set(found[1]!, value);
    else if (part === "send_flow_rem") flags |= SEND_FLOW_REM;
    else if (part === "delete_learned") flags |= DELETE_LEARNED;
    else specs.push(part);
  }
  const option = (name: string, otherwise = 0n): bigint => options.get(name) ?? otherwise;
  const limit = option("limit");
  const start = bytes.length;
  nicira(bytes, 0, limit > 0n ? LEARN2 : LEARN);
  bytes.big(option("idle_timeout"), 2).big(option("hard_timeout"), 2).big(option("priority", DEFAULT_PRIORITY), 2);
  bytes.big(option("cookie"), 8).uint(flags, 2).big(option("table", 1n), 1).zeros(1);
  bytes.big(option("fin_idle_timeout"), 2).big(option("fin_hard_timeout"), 2);
  if (limit > 0n) bytes.big(limit, 4).zeros(4);
  for (const spec of specs) if (!writeSpec(bytes, spec)) return false;
  // A head of zeros ends the list; the padding may be it.
  bytes.pad(start);
  bytes.setLength(start + 2, start);
  return true;
}

function writeSpec(bytes: Bytes, spec: string): boolean {
  const load = /^load:([^>]+)->(\S+)$/.exec(spec);
  if (load) return writeCopy(bytes, LOAD, load[1]!, load[2]!);
  const output = /^output:(\S+)$/.exec(spec);
  const port = output && readRange(output[1]!);
  if (output && !port) return false;
  if (port) {
    bytes.uint(OUTPUT | port.count, 2);
    writeRange(bytes, port);
    return true;
  }
  const [to = "", from = to] = spec.split("=");
  return writeCopy(bytes, MATCH, from, to);
}

/** `from` is a field of the packet or a number, `to` a field of the learned flow. */
function writeCopy(bytes: Bytes, kind: number, from: string, to: string): boolean {
  const target = readRange(to);
  if (!target) return false;
  const source = readRange(from);
  const constant = source ? null : fitting(from, target.count);
  if (source && source.count !== target.count) return false;
  if (!source && constant === null) return false;
  bytes.uint((source ? 0 : CONSTANT) | kind | target.count, 2);
  if (source) writeRange(bytes, source);
  else bytes.big(constant!, 2 * Math.ceil(target.count / 16));
  writeRange(bytes, target);
  return true;
}

function writeRange(bytes: Bytes, { field, offset }: BitRange): void {
  bytes.uint(field.oxm + field.bits / 8, 4).uint(offset, 2);
}
