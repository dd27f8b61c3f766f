/**
 * One spelling for each action list: `load` and `set_field` are the same, and which of them Open vSwitch prints depends on
 * the OpenFlow version. Called by diffFlows and by the encoder. Spellings follow ovs-actions(7).
 */
import { SET_FIELD_NAMES, SUBFIELDS, WIDTHS } from "./fields";
import { splitTopLevel } from "./flow";
import { hex, portName, toNumber } from "./numbers";

/** The action list in one spelling; the order stays, because it matters. */
export function canonicalActions(actions: string): string {
  const list = actionList(actions);
  return list.length === 0 ? "drop" : list.join(",");
}

/** Each action in one spelling. */
export function actionList(actions: string): string[] {
  return splitTopLevel(actions).map(canonicalAction);
}

function canonicalAction(action: string): string {
  const load = /^load:([^>]+)->(\w+)\[(?:(\d+)(?:\.\.(\d+))?)?\]$/.exec(action);
  if (load) return canonicalLoad(load);
  const set = /^set_field:(.+)->(\w+)$/.exec(action);
  if (set) return canonicalSetField(set[1]!, set[2]!);
  const simple = /^(output:)?(\w+)$/i.exec(action);
  if (simple && (simple[1] || /^(IN_PORT|TABLE|NORMAL|FLOOD|ALL|LOCAL)$/i.test(simple[2]!))) {
    const name = portName(simple[2]!);
    return /^\d+$/.test(name) ? `output:${name}` : name;
  }
  const learn = /^learn\((.*)\)$/.exec(action);
  if (learn) return `learn(${canonicalLearn(learn[1]!)})`;
  const nested = /^(clone|ct|exec)\((.*)\)$/.exec(action);
  if (nested) return `${nested[1]!}(${splitTopLevel(nested[2]!).map(canonicalAction).join(",")})`;
  return action;
}

function canonicalLoad(load: RegExpExecArray): string {
  const value = toNumber(load[1]!.trim());
  const field = SUBFIELDS.get(load[2]!);
  if (value === null || !field) return load[0];
  const from = BigInt(load[3] ?? 0);
  const to = load[3] === undefined ? BigInt(field.bits - 1) : BigInt(load[4] ?? load[3]);
  const mask = ((1n << (to - from + 1n)) - 1n) << from;
  return setField(field.name, value << from, mask, field.bits);
}

function canonicalSetField(text: string, key: string): string {
  const name = SET_FIELD_NAMES.get(key) ?? key;
  const [value = "", mask] = text.split("/");
  const number = toNumber(value);
  const bits = WIDTHS.get(name);
  if (number === null || bits === undefined) return `set_field:${text}->${name}`;
  return setField(name, number, mask === undefined ? (1n << BigInt(bits)) - 1n : (toNumber(mask) ?? 0n), bits);
}

function setField(name: string, value: bigint, mask: bigint, bits: number): string {
  const full = mask === (1n << BigInt(bits)) - 1n;
  return `set_field:${hex(value & mask)}${full ? "" : `/${hex(mask)}`}->${name}`;
}

/** Options of learn() are printed in an order of Open vSwitch's own; the field specifications after them keep theirs. */
function canonicalLearn(text: string): string {
  const options: string[] = [];
  const specs: string[] = [];
  for (const part of splitTopLevel(text)) {
    const option =
      /^(table|priority|cookie|idle_timeout|hard_timeout|fin_idle_timeout|fin_hard_timeout|limit)=(\w+)$/.exec(part);
    const number = option && toNumber(option[2]!);
    if (option && number !== null) options.push(`${option[1]!}=${hex(number)}`);
    else if (/^(send_flow_rem|delete_learned|result_dst=.*)$/.test(part)) options.push(part);
    else specs.push(part);
  }
  return [...options.sort(), ...specs].join(",");
}
