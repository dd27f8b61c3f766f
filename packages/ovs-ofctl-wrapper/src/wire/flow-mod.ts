/** A step of a bundle as an OpenFlow 1.5 flow-mod message (section 7.3.4.3). Called by OpenFlow.bundle. */
import type { FlowChange } from "../flow";
import { instructions } from "./actions";
import { Bytes } from "./bytes";
import { writeMatch } from "./match";

const COMMAND = { add: 0, delete: 3, deleteStrict: 4 } as const;
const ALL_TABLES = 255;
const DEFAULT_PRIORITY = 32768;
/** OFPFF_CHECK_OVERLAP and OFPFF_RESET_COUNTS. */
const FLAGS = { checkOverlap: 2, resetCounts: 4 } as const;
const ALL_ONES = 0xffffffffffffffffn;
/** Reused: a bundle has thousands of messages. */
const bytes = new Bytes();

/** The message without its OpenFlow header; null if it has anything that this encoder does not know. */
export function encodeChange(change: FlowChange): Buffer | null {
  try {
    return write(change);
  } catch (error) {
    // A table 300, for example: ovs-ofctl says so better.
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function write(change: FlowChange): Buffer | null {
  bytes.length = 0;
  const [cookie, mask] = cookieOf(change);
  const add = change.kind === "add" ? change : null;
  bytes.big(cookie, 8).big(mask, 8);
  bytes.uint(change.table ?? ALL_TABLES, 1).uint(COMMAND[change.kind], 1);
  bytes.uint(add?.idleTimeout ?? 0, 2).uint(add?.hardTimeout ?? 0, 2);
  bytes.uint(change.kind === "delete" ? DEFAULT_PRIORITY : change.priority, 2);
  // No buffered packet, any output port, any group; flags; no importance.
  bytes.uint(0xffffffff, 4).uint(0xffffffff, 4).uint(0xffffffff, 4);
  bytes.uint((add?.checkOverlap ? FLAGS.checkOverlap : 0) | (add?.resetCounts ? FLAGS.resetCounts : 0), 2).zeros(2);
  if (!writeMatch(bytes, change.match ?? "")) return null;
  const encoded = add ? instructions(add.actions) : Buffer.alloc(0);
  return encoded && bytes.raw(encoded).take();
}

function cookieOf(change: FlowChange): [cookie: bigint, mask: bigint] {
  if (change.cookie === undefined) return [0n, 0n];
  if (change.kind === "add") return [change.cookie, 0n];
  const mask = change.kind === "delete" ? (change.cookieMask ?? ALL_ONES) : ALL_ONES;
  return [change.cookie & mask, mask];
}
