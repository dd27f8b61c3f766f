/**
 * A node's Open vSwitch, in userspace, with the bridge br-phy that has eth0 and the node's own address. The Pods' bridge,
 * br-int, comes from the cluster's network.
 */
import { execa } from "execa";
import { existsSync } from "node:fs";
import path from "node:path";
import { systemOf } from "./cgroups";
import { script } from "./namespaces";
import { answers, insideNode, nodeProgram } from "./node";
import { hardwareAddress, MACHINE_ADDRESS, nodeAddress, nodeIndex, type Places } from "./places";
import { ensure, explained, until } from "./programs";

const SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema";
/** To standard error, which is the program's log. */
export const LOGGING = ["-vsyslog:off", "-vfile:off", "-vconsole:info"];

export async function startOpenvSwitch(places: Places, node: string): Promise<void> {
  await startDatabase(places, node);
  const inNode = insideNode(places, node);
  const group = systemOf(node);
  const name = nodeProgram(node, "ovs-vswitchd");
  const started = await ensure(places, { ...inNode, name, group, argv: ["ovs-vswitchd", "--pidfile", ...LOGGING] });
  const index = nodeIndex(node);
  const bridge = script(
    `Making the underlay's bridge of ${node}`,
    inNode,
    // ovs-vsctl waits for a new ovs-vswitchd only if there is something new in the database.
    // Fixed addresses: the bridges' own choice changes with their ports, and neighbours remember the old one.
    `ovs-vsctl -t 30 \
       ${started ? `-- set Open_vSwitch . external_ids:started=${Date.now()}` : ""} \
       -- --may-exist add-br br-phy -- set Bridge br-phy datapath_type=netdev other-config:hwaddr=${hardwareAddress(nodeAddress(index))} \
       -- --may-exist add-port br-phy eth0
     ip address replace ${nodeAddress(index)}/24 dev br-phy
     ip link set br-phy up
     ip route replace default via ${MACHINE_ADDRESS}`,
  );
  await explained(places, name, bridge);
}

async function startDatabase(places: Places, node: string): Promise<void> {
  const file = path.join(places.node(node), "ovs", "conf.db");
  if (!existsSync(file)) await execa("ovsdb-tool", ["create", file, SCHEMA]);
  const inNode = insideNode(places, node);
  const name = nodeProgram(node, "ovsdb-server");
  const socket = "/run/openvswitch/db.sock";
  const argv = ["ovsdb-server", file, `--remote=punix:${socket}`, "--pidfile", ...LOGGING];
  await ensure(places, { ...inNode, name, group: systemOf(node), argv });
  await until(places, "ovsdb-server answers", name, () => answers(places, node, socket));
  const identity = `external_ids:system-id=${node} external_ids:hostname=${node}`;
  const init = `ovs-vsctl -t 10 --no-wait -- init -- set Open_vSwitch . ${identity}`;
  await explained(places, name, script(`Naming the Open vSwitch of ${node}`, inNode, init));
}
