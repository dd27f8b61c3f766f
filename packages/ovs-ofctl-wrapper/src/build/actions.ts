/**
 * Actions as objects, and as text: `formatActions([output(3), gotoTable(249)])` is `output:3,goto_table:249`, and
 * parseActions reads it back, in whatever spelling Open vSwitch prints it (ovs-actions(7)). Called by users of this package.
 */
import { actionList } from "../canonical-actions";
import { BY_NAME } from "../fields";

type ReservedPort = "IN_PORT" | "TABLE" | "NORMAL" | "FLOOD" | "ALL" | "LOCAL";

export type Action =
  /** `maxLength`: bytes of the frame that are sent; all of them if absent. */
  | { do: "output"; port: number | ReservedPort; maxLength?: number }
  | { do: "goto_table"; table: number }
  /** Looks the packet up in `table`, as if it had come from `port`; from where it has come if absent. */
  | { do: "resubmit"; table: number; port?: number }
  /** Sets the bits of `mask`, or all of them. `field` as in `set_field`: `reg1`, `in_port`, `eth_src`, `pkt_mark`, `tun_id`…. */
  | { do: "set_field"; field: string; value: bigint; mask?: bigint }
  /** Copies bits: `NXM_OF_VLAN_TCI[0..11]` to `NXM_NX_REG13[0..11]`. */
  | { do: "move"; from: string; to: string }
  | { do: "pop_vlan" }
  /** The text between the parentheses: `table=245,NXM_OF_ETH_SRC[],…`. */
  | { do: "learn"; specification: string };

export function output(port: number | ReservedPort, maxLength?: number): Action {
  return { do: "output", port, ...(maxLength === undefined ? {} : { maxLength }) };
}

export function gotoTable(table: number): Action {
  return { do: "goto_table", table };
}

export function resubmit(table: number, port?: number): Action {
  return { do: "resubmit", table, ...(port === undefined ? {} : { port }) };
}

/** Throws for a field that this package has no name for. */
export function setField(field: string, value: number | bigint, mask?: number | bigint): Action {
  if (!BY_NAME.has(field)) throw new Error(`set_field: no field ${field}; one of ${[...BY_NAME.keys()].join(", ")}`);
  return { do: "set_field", field, value: BigInt(value), ...(mask === undefined ? {} : { mask: BigInt(mask) }) };
}

export function move(from: string, to: string): Action {
  return { do: "move", from, to };
}

export function popVlan(): Action {
  return { do: "pop_vlan" };
}

export function learn(specification: string): Action {
  return { do: "learn", specification };
}

/** As ovs-ofctl reads them; `drop` for none. */
export function formatActions(actions: readonly Action[]): string {
  return actions.length === 0 ? "drop" : actions.map(formatAction).join(",");
}

function formatAction(action: Action): string {
  switch (action.do) {
    case "output":
      if (action.maxLength !== undefined) return `output(port=${action.port},max_len=${action.maxLength})`;
      return typeof action.port === "number" ? `output:${action.port}` : action.port;
    case "goto_table":
      return `goto_table:${action.table}`;
    case "resubmit":
      return `resubmit(${action.port ?? ""},${action.table})`;
    case "set_field": {
      const mask = action.mask === undefined ? "" : `/0x${action.mask.toString(16)}`;
      return `set_field:${value(action.field, action.value, mask)}->${action.field}`;
    }
    case "move":
      return `move:${action.from}->${action.to}`;
    case "pop_vlan":
      return "pop_vlan";
    case "learn":
      return `learn(${action.specification})`;
  }
}

/** ovs-ofctl wants MAC addresses as such, and ports in decimal. */
function value(field: string, number: bigint, mask: string): string {
  if (field === "in_port") return String(number) + mask;
  if (!field.startsWith("eth_")) return `0x${number.toString(16)}${mask}`;
  const mac = (text: string): string => text.padStart(12, "0").match(/../g)!.join(":");
  return mac(number.toString(16)) + (mask === "" ? "" : `/${mac(mask.slice(3))}`);
}

/** Reads an action list; null if it has an action that is not one of Action's. */
export function parseActions(text: string): Action[] | null {
  const actions = actionList(text).filter((action) => action !== "drop");
  const read = actions.flatMap((action) => parseAction(action) ?? []);
  return read.length === actions.length ? read : null;
}

function parseAction(text: string): Action | null {
  let found: RegExpExecArray | null;
  if ((found = /^output:(\d+)$/.exec(text))) return output(Number(found[1]));
  if (/^(IN_PORT|TABLE|NORMAL|FLOOD|ALL|LOCAL)$/.test(text)) return output(text as ReservedPort);
  if ((found = /^output\(port=(\d+),max_len=(\d+)\)$/.exec(text))) return output(Number(found[1]), Number(found[2]));
  if ((found = /^goto_table:(\d+)$/.exec(text))) return gotoTable(Number(found[1]));
  if ((found = /^resubmit\((\d*),(\d+)\)$/.exec(text)))
    return resubmit(Number(found[2]), found[1] === "" ? undefined : Number(found[1]));
  if ((found = /^set_field:(0x[0-9a-f]+)(?:\/(0x[0-9a-f]+))?->(\w+)$/.exec(text)) && BY_NAME.has(found[3]!))
    return setField(found[3]!, BigInt(found[1]!), found[2] === undefined ? undefined : BigInt(found[2]));
  if ((found = /^move:(\S+)->(\S+)$/.exec(text))) return move(found[1]!, found[2]!);
  if ((found = /^learn\((.*)\)$/.exec(text))) return learn(found[1]!);
  return text === "pop_vlan" ? popVlan() : null;
}
