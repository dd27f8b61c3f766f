/**
 * What there is around the taps that has not been tried, or changes what to expect of them (docs/compatibility.md). Each is a
 * sentence for the condition Untested of the node's plan. Pure. Called in each reconciliation.
 */
import type { PlanPod } from "@ovs-traffic-control/api";
import type { BridgeView, OvsView } from "../ovs";
import { isVirtualMachine } from "../pods";

const OLDEST = { major: 2, minor: 17 };

/** `bridges`: those that are programmed. */
export function cautionsOf(view: OvsView, bridges: readonly BridgeView[], pods: readonly PlanPod[]): string[] {
  return [
    ...version(view),
    ...(view.otherConfig.get("hw-offload") === "true" ? [OFFLOAD] : []),
    ...bridges.flatMap((bridge) => [dpdk(bridge), bonds(bridge), tunnelPorts(bridge)].flat()),
    ...machines(pods),
  ];
}

const OFFLOAD =
  "Hardware offload is on (other_config:hw-offload): packets that meet our rules may be carried out in software, and slower; it has not been tried.";

function version({ version: text }: OvsView): string[] {
  const found = /^(\d+)\.(\d+)/.exec(text ?? "");
  if (!found) return [];
  const [major, minor] = [Number(found[1]), Number(found[2])];
  const isOld = major < OLDEST.major || (major === OLDEST.major && minor < OLDEST.minor);
  return isOld
    ? [`Open vSwitch ${text} is older than ${OLDEST.major}.${OLDEST.minor}, for which this is written.`]
    : [];
}

function dpdk({ name, ports }: BridgeView): string[] {
  const rows = ports.flatMap(({ interfaces }) => interfaces.filter(({ type }) => type.startsWith("dpdk")));
  if (rows.length === 0) return [];
  return [
    `Bridge ${name} has ports of DPDK (${some(rows.map((row) => `${row.name}: ${row.type}`))}), with which nothing has been tried; ` +
      "the MAC address of a Pod behind vhost-user has to come from its CNI or from the API.",
  ];
}

/** Of the modes only active-backup says by its active member which frames NORMAL drops. */
function bonds({ name, ports }: BridgeView): string[] {
  const others = ports.filter(({ bond }) => bond !== undefined && (bond.mode !== "active-backup" || bond.lacp));
  if (others.length === 0) return [];
  const words = others.map(({ name: port, bond }) => `${port}: ${bond!.mode}${bond!.lacp ? " with LACP" : ""}`);
  return [`Bridge ${name} has bonds (${some(words)}): frames that they drop as duplicates may be copied all the same.`];
}

function tunnelPorts({ name, ports }: BridgeView): string[] {
  const found = ports.filter(({ vlanMode }) => vlanMode === "dot1q-tunnel").map((port) => port.name);
  if (found.length === 0) return [];
  return [
    `Bridge ${name} has dot1q-tunnel ports (${some(found)}): a Pod there is taken to live in its port's VLAN, whatever its own frames carry; QinQ has not been tried on packets.`,
  ];
}

function machines(pods: readonly PlanPod[]): string[] {
  const found = pods.filter(isVirtualMachine).map(({ namespace, name }) => `${namespace}/${name}`);
  if (found.length === 0) return [];
  return [
    `There are virtual machines of KubeVirt (${some(found)}), which have not been tried: while one migrates, its packets are tapped where its MAC address is, once its port there works.`,
  ];
}

function some(words: readonly string[]): string {
  return words.length <= 3 ? words.join(", ") : `${words.slice(0, 3).join(", ")} and ${words.length - 3} more`;
}
