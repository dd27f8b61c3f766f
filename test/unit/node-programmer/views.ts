/** Small Open vSwitches as values, for the tests of this folder. */
import { EXTERNAL_IDS, FIELD_MANAGER } from "../../../capabilities/api";
import type { BridgeView, InterfaceView, OvsView, PortView } from "../../../packages/node-programmer/src/ovs";

export interface PortSketch {
  name: string;
  ofport?: number;
  type?: string;
  options?: Record<string, string>;
  externalIds?: Record<string, string>;
  /** external_ids of the Interface row. */
  interfaceIds?: Record<string, string>;
  otherConfig?: Record<string, string>;
  tag?: number;
  trunks?: number[];
  vlanMode?: string;
  error?: string;
  ifindex?: number;
  mtu?: number;
  linkState?: string;
  bond?: { mode: string; lacp: boolean };
}

function strings(values: Record<string, string> = {}): Map<string, string> {
  return new Map(Object.entries(values));
}

export function portView(bridge: string, sketch: PortSketch): PortView {
  const row: InterfaceView = {
    uuid: `interface-${sketch.name}`,
    name: sketch.name,
    type: sketch.type ?? "",
    options: strings(sketch.options),
    ofport: sketch.ofport,
    error: sketch.error,
    linkState: sketch.linkState ?? "up",
    ifindex: sketch.ifindex ?? 7,
    mtu: sketch.mtu,
    externalIds: strings(sketch.interfaceIds),
  };
  const externalIds = strings(sketch.externalIds);
  return {
    uuid: `port-${sketch.name}`,
    name: sketch.name,
    bridge,
    tag: sketch.tag,
    trunks: sketch.trunks ?? [],
    vlanMode: sketch.vlanMode,
    externalIds,
    otherConfig: strings(sketch.otherConfig),
    interfaces: [row],
    ...(sketch.bond ? { bond: sketch.bond } : {}),
    ours: externalIds.get(EXTERNAL_IDS.owner) === FIELD_MANAGER,
    adoptable: externalIds.get(EXTERNAL_IDS.adopt) === "true",
  };
}

interface SwitchSketch {
  externalIds: Record<string, string>;
  otherConfig: Record<string, string>;
  datapath: string;
  version: string;
}

/** `{ "br-int": [ports] }` → a view; every bridge on the userspace datapath unless `datapath` says otherwise. */
export function ovsView(
  bridges: Record<string, PortSketch[]>,
  { externalIds = {}, otherConfig = {}, datapath = "netdev", version = "3.1.0" }: Partial<SwitchSketch> = {},
): OvsView {
  const views = Object.entries(bridges).map(
    ([name, ports]): BridgeView => ({
      name,
      datapath,
      failMode: undefined,
      externalIds: new Map(),
      ports: ports.map((sketch) => portView(name, sketch)),
      mirrors: [],
    }),
  );
  const ports = new Map(views.flatMap((bridge) => bridge.ports.map((port) => [port.name, port] as const)));
  return { externalIds: strings(externalIds), otherConfig: strings(otherConfig), version, bridges: views, ports };
}

export const OURS = { [EXTERNAL_IDS.owner]: FIELD_MANAGER };
export const ISOLATED = { vlanMode: "trunk", trunks: [4095], otherConfig: { "stp-enable": "false" } };

/** A port as ovs-cni marks it. */
export function podPort(
  name: string,
  uid: string,
  more: Partial<PortSketch> & { netns?: string; iface?: string } = {},
): PortSketch {
  const { netns = `/var/run/netns/${uid}`, iface = "eth0", ...rest } = more;
  return {
    name,
    externalIds: { contPodUid: uid, contNetns: netns, contIface: iface, owner: "ovs-cni.network.kubevirt.io" },
    ...rest,
  };
}
