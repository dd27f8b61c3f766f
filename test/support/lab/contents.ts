/**
 * What is on a node of the lab: flows, ours and others', and everything in the database that a user could see or miss.
 * Used by tests that compare before and after.
 */
import { value } from "../lab-result";
import type { LabNode } from "./node";

const OURS = { cookie: 0x5443000000000000n, cookieMask: 0xffff000000000000n };

/** Flows of a bridge, one line each, sorted; without statistics, and without the version that our last bundle has left. */
export async function flows(node: LabNode, filter = {}, bridge = "br-int"): Promise<string[]> {
  return value(await node.openflow.dumpFlows(bridge, filter))
    .map(({ table, priority, cookie, match, actions }) => `${table} ${priority} ${cookie} ${match} ${actions}`)
    .map((flow) => flow.replace(/ reg0=0\/0x[0-9a-f]+,(reg14=0x1\/0x1 )/, " $1"))
    .sort();
}

export function ownFlows(node: LabNode): Promise<string[]> {
  return flows(node, OURS);
}

export async function foreignFlows(node: LabNode): Promise<string[]> {
  const own = new Set(await ownFlows(node));
  return (await flows(node)).filter((flow) => !own.has(flow));
}

/** Names of the ports that FLOOD spares; it is no column of the database, and only OpenFlow 1.0 shows it. */
export async function unflooded(node: LabNode, bridge = "br-int"): Promise<string[]> {
  const ports = await node.ofctl("-O", "OpenFlow10", "dump-ports-desc", bridge);
  return [...ports.matchAll(/\((\S+)\): addr:.*\n +config: .*\bNO_FLOOD\b/g)].map(([, name]) => name!).sort();
}

const COLUMNS: Readonly<Record<string, string>> = {
  Bridge:
    "name,ports,mirrors,fail_mode,protocols,controller,external_ids,other_config,stp_enable,mcast_snooping_enable",
  Port: "name,interfaces,tag,trunks,vlan_mode,external_ids,other_config,qos",
  Interface: "name,type,options,external_ids,other_config,ofport,mtu_request",
  Mirror: "name",
  Open_vSwitch: "bridges,external_ids,other_config",
};

/** Everything in OVSDB that a user could see or miss; statistics and the like are left out. */
export async function database(node: LabNode): Promise<string> {
  const tables: string[] = [];
  for (const [table, list] of Object.entries(COLUMNS)) {
    const text = await node.vsctl("--format=json", `--columns=${list}`, "list", table);
    const { data } = JSON.parse(text) as { data: unknown[] };
    tables.push(`${table} ${JSON.stringify(data.map((row) => JSON.stringify(row)).sort())}`);
  }
  return tables.join("\n");
}
