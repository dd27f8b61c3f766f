/** OpenFlow flows as values, and their text as ovs-ofctl reads and prints it (ovs-ofctl(8), ovs-fields(7), ovs-actions(7)). */

/** One flow. Identity is table, priority and match; cookie and actions are what an `add` over it replaces. */
export interface Flow {
  /** 0-254. */
  table: number;
  /** 0-65535; higher wins. */
  priority: number;
  /** Opaque 64-bit value; 0n for none. */
  cookie: bigint;
  /** Comma-separated fields as in ovs-fields(7), "" matches everything: `ip,in_port=3`. Ports as numbers, not names. */
  match: string;
  /** Comma-separated actions as in ovs-actions(7): `output:3,goto_table:249`; "drop" for none. */
  actions: string;
  /** Seconds without a packet after which Open vSwitch removes the flow; absent or 0 for never. */
  idleTimeout?: number;
  /** Seconds after which Open vSwitch removes the flow; absent or 0 for never. */
  hardTimeout?: number;
}

/** A flow as dumped, with its counters. Counters restart at 0 when ovs-vswitchd does. */
export interface FlowEntry extends Flow {
  /** Packets that have hit the flow. */
  packets: number;
  /** Bytes of those packets, Ethernet header included. */
  bytes: number;
}

/** Flows in the sense of OpenFlow's loose delete: every flow that is at least as specific as `match`. */
export interface FlowFilter {
  cookie?: bigint;
  /** Bits of the cookie that count; all of them if absent. */
  cookieMask?: bigint;
  table?: number;
  match?: string;
}

/**
 * One step of a bundle.
 * - `add`: adds the flow; over a flow of the same identity it replaces cookie and actions and keeps the counters. With
 *   `checkOverlap` it is refused, and the bundle with it, if there is another flow of that table and priority that some packet
 *   could match too (OFPFF_CHECK_OVERLAP, OpenFlow 1.3.5, section 6.4): what makes a bundle depend on what is there. With
 *   `resetCounts` the counters start at 0.
 * - `deleteStrict`: deletes the flow with exactly this identity, and only if it carries this cookie.
 * - `delete`: deletes all flows that the filter covers; an empty filter means every flow of the bridge.
 */
export type FlowChange =
  | ({ kind: "add"; checkOverlap?: boolean; resetCounts?: boolean } & Flow)
  | { kind: "deleteStrict"; table: number; priority: number; match: string; cookie?: bigint }
  | ({ kind: "delete" } & FlowFilter);

const ALL_ONES = 0xffffffffffffffffn;
const DEFAULT_PRIORITY = 32768;

/** `0x5443000000000001`: as Open vSwitch prints cookies. */
export function formatCookie(cookie: bigint): string {
  return `0x${cookie.toString(16)}`;
}

/** The flow as one line that `ovs-ofctl add-flow` reads. */
export function formatFlow(flow: Flow): string {
  const parts = [`table=${flow.table}`, `priority=${flow.priority}`, `cookie=${formatCookie(flow.cookie)}`];
  if (flow.idleTimeout) parts.push(`idle_timeout=${flow.idleTimeout}`);
  if (flow.hardTimeout) parts.push(`hard_timeout=${flow.hardTimeout}`);
  if (flow.match !== "") parts.push(flow.match);
  return `${parts.join(",")} actions=${flow.actions === "" ? "drop" : flow.actions}`;
}

/** The filter as the argument of dump-flows, dump-aggregate and del-flows; "" for everything. */
export function formatFilter(filter: FlowFilter): string {
  const parts: string[] = [];
  if (filter.table !== undefined) parts.push(`table=${filter.table}`);
  if (filter.cookie !== undefined)
    parts.push(`cookie=${formatCookie(filter.cookie)}/${formatCookie(filter.cookieMask ?? ALL_ONES)}`);
  if (filter.match) parts.push(filter.match);
  return parts.join(",");
}

/** The change as one line of the file that `ovs-ofctl --bundle add-flows` reads. */
export function formatChange(change: FlowChange): string {
  switch (change.kind) {
    case "add":
      return `add ${change.checkOverlap ? "check_overlap," : ""}${change.resetCounts ? "reset_counts," : ""}${formatFlow(change)}`;
    case "deleteStrict": {
      const parts = [`table=${change.table}`, `priority=${change.priority}`];
      if (change.cookie !== undefined) parts.push(`cookie=${formatCookie(change.cookie)}/${formatCookie(ALL_ONES)}`);
      if (change.match !== "") parts.push(change.match);
      return `delete_strict ${parts.join(",")}`;
    }
    case "delete":
      return `delete ${formatFilter(change)}`.trimEnd();
  }
}

/** Splits at commas that are not inside parentheses, braces or brackets. */
export function splitTopLevel(text: string): string[] {
  if (!/[([{]/.test(text)) return trimmed(text.split(","));
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === "(" || c === "[" || c === "{") depth++;
    else if (c === ")" || c === "]" || c === "}") depth--;
    else if (c === "," && depth === 0) {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  parts.push(text.slice(start));
  return trimmed(parts);
}

function trimmed(parts: string[]): string[] {
  return parts.map((part) => part.trim()).filter((part) => part !== "");
}

/** Words between statistics and match that are flags of the flow, not fields of the match. */
const FLAGS = new Set(["send_flow_rem", "check_overlap", "reset_counts", "no_packet_counts", "no_byte_counts"]);
const IGNORED = new Set(["duration", "idle_age", "hard_age", "importance", "out_port", "out_group"]);

/**
 * Parses one line of `dump-flows` (with or without statistics) or one that formatFlow made; null if it is not a flow.
 * Open vSwitch leaves out table 0, cookie 0 (without statistics) and priority 32768.
 */
export function parseFlow(line: string): FlowEntry | null {
  const at = line.search(/(^|[ ,])actions=/);
  if (at < 0) return null;
  const head = line.slice(0, at);
  const entry: FlowEntry = {
    table: 0,
    priority: DEFAULT_PRIORITY,
    cookie: 0n,
    match: "",
    actions: line.slice(line.indexOf("actions=", at) + "actions=".length).trim(),
    packets: 0,
    bytes: 0,
  };
  const match: string[] = [];
  // "send_flow_rem importance=5, idle_age=0": flags are followed by a blank instead of a comma.
  for (const part of splitTopLevel(head).flatMap((text) => text.split(" "))) {
    const equals = part.indexOf("=");
    const key = equals < 0 ? part : part.slice(0, equals);
    const value = equals < 0 ? "" : part.slice(equals + 1);
    if (key === "cookie") entry.cookie = BigInt(value);
    else if (key === "table") entry.table = Number(value);
    else if (key === "priority") entry.priority = Number(value);
    else if (key === "n_packets") entry.packets = Number(value);
    else if (key === "n_bytes") entry.bytes = Number(value);
    else if (key === "idle_timeout") entry.idleTimeout = Number(value);
    else if (key === "hard_timeout") entry.hardTimeout = Number(value);
    else if (part !== "" && !FLAGS.has(key) && !IGNORED.has(key)) match.push(part);
  }
  entry.match = match.join(",");
  return entry;
}

/** Parses the whole output of `dump-flows`; lines that are not flows (reply headers) are skipped. */
export function parseFlows(output: string): FlowEntry[] {
  return output.split("\n").flatMap((line) => parseFlow(line) ?? []);
}
