/**
 * Sends a packet through compiled flows, without Open vSwitch: just the matches and actions that the compiler uses.
 * An unknown one throws, so that a new kind of flow cannot pass unlooked at.
 */
import type { Flow } from "ovs-ofctl-wrapper";

export interface Packet {
  in_port: number;
  dl_dst: string;
  type: "ip" | "ipv6" | "arp" | "icmp6" | "udp";
  /** VID of the frame's tag; absent for an untagged frame. */
  vlan?: number;
  icmp_type?: number;
  nw_dst?: string;
  nw_proto?: number;
  tp_dst?: number;
}

export interface Passage {
  /** Ports that got a copy, ascending. */
  copies: number[];
  /** It went back to table 0 with the mark. */
  handedBack: boolean;
  /** Registers that are not 0 at the end. */
  registers: Record<string, number>;
  hit: Flow[];
}

export function lookUp(flows: readonly Flow[], packet: Packet): Passage {
  const passage: Passage = { copies: [], handedBack: false, registers: {}, hit: [] };
  run(flows, packet, passage, 0, packet.in_port, 0);
  passage.copies.sort((a, b) => a - b);
  return passage;
}

function run(
  flows: readonly Flow[],
  packet: Packet,
  passage: Passage,
  table: number,
  inPort: number,
  depth: number,
): void {
  if (depth > 60) throw new Error("too many resubmits");
  const flow = flows
    .filter((each) => each.table === table && matches(each.match, packet, inPort, passage.registers))
    .sort((a, b) => b.priority - a.priority)[0];
  if (!flow) {
    if (table === 0) passage.handedBack = true;
    return;
  }
  passage.hit.push(flow);
  for (const action of flow.actions.split(/,(?![^(]*\))/)) act(flows, packet, passage, action, depth);
}

function act(flows: readonly Flow[], packet: Packet, passage: Passage, action: string, depth: number): void {
  const { registers } = passage;
  let found: RegExpExecArray | null;
  if (action === "drop") return;
  if ((found = /^goto_table:(\d+)$/.exec(action))) run(flows, packet, passage, Number(found[1]), packet.in_port, depth);
  else if ((found = /^output:(\d+)$/.exec(action))) passage.copies.push(Number(found[1]));
  else if ((found = /^resubmit\((\d*),(\d+)\)$/.exec(action)))
    run(flows, packet, passage, Number(found[2]), found[1] === "" ? packet.in_port : Number(found[1]), depth + 1);
  else if (action === "move:NXM_OF_VLAN_TCI[0..11]->NXM_NX_REG13[0..11]")
    set(registers, "reg13", packet.vlan ?? 0, 0xfff);
  else if ((found = /^set_field:(\w+)(?:\/(\w+))?->(reg\d+)$/.exec(action)))
    set(registers, found[3]!, Number(found[1]), found[2] === undefined ? 0xffffffff : Number(found[2]));
  else throw new Error(`unknown action ${action}`);
}

function set(registers: Record<string, number>, name: string, value: number, mask: number): void {
  const result = (((registers[name] ?? 0) & ~mask) | (value & mask)) >>> 0;
  if (result === 0) Reflect.deleteProperty(registers, name);
  else registers[name] = result;
}

function matches(match: string, packet: Packet, inPort: number, registers: Record<string, number>): boolean {
  const v6 = packet.nw_dst?.includes(":") ?? false;
  const isIPv4 = packet.type === "ip" || (packet.type === "udp" && !v6);
  return match.split(",").every((part) => {
    const [name = "", value = ""] = part.split("=");
    if (name.startsWith("reg")) {
      const [wanted, mask = "0xffffffff"] = value.split("/");
      return ((registers[name] ?? 0) & Number(mask)) >>> 0 === Number(wanted);
    }
    switch (name) {
      case "":
        return true;
      case "ip":
        return isIPv4;
      case "ipv6":
        return packet.type === "ipv6" || packet.type === "icmp6" || (packet.type === "udp" && v6);
      case "icmp6":
        return packet.type === "icmp6";
      case "udp":
        return packet.type === "udp" && !v6;
      case "udp6":
        return packet.type === "udp" && v6;
      case "in_port":
        return inPort === Number(value);
      case "vlan_tci":
        if (value !== "0x0000/0x0fff") throw new Error(`unknown VLAN match ${part}`);
        return (packet.vlan ?? 0) === 0;
      case "dl_dst":
      case "nw_dst":
        return packet[name] === value;
      case "ipv6_dst":
        return packet.nw_dst === value;
      case "icmp_type":
      case "nw_proto":
      case "tp_dst":
        return packet[name] === Number(value);
      default:
        throw new Error(`unknown match ${part}`);
    }
  });
}
