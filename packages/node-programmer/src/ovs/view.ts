/**
 * The node's Open vSwitch as one value: bridges with their ports and interfaces, joined from the replica's rows. Never
 * changed once made. Each reconciliation decides on it.
 */
import { EXTERNAL_IDS, FIELD_MANAGER } from "@ovs-traffic-control/api";
import type { Replica, SelectedRow } from "ovs-ofctl-wrapper";

/** The columns we look at. Not `statistics`, which would wake us every five seconds. */
export const COLUMNS = {
  Open_vSwitch: ["external_ids", "other_config", "ovs_version"],
  Bridge: ["name", "ports", "mirrors", "datapath_type", "fail_mode", "external_ids"],
  Port: [
    ...(["name", "interfaces", "tag", "trunks", "vlan_mode", "external_ids", "other_config"] as const),
    ...(["bond_mode", "bond_active_slave", "lacp"] as const),
  ],
  Interface: [
    ...(["name", "type", "options", "ofport", "error", "link_state", "ifindex", "external_ids"] as const),
    ...(["mac_in_use", "mtu"] as const),
  ],
  Mirror: [
    ...(["name", "select_all", "select_src_port", "select_dst_port", "select_vlan"] as const),
    ...(["output_port", "output_vlan", "snaplen", "external_ids"] as const),
  ],
} as const;
export type OvsReplica = Replica<typeof COLUMNS>;
type MirrorRow = SelectedRow<typeof COLUMNS, "Mirror">;

type Strings = ReadonlyMap<string, string>;

export interface InterfaceView {
  uuid: string;
  name: string;
  type: string;
  options: Strings;
  /** Positive if the interface works. */
  ofport: number | undefined;
  error: string | undefined;
  linkState: string | undefined;
  ifindex: number | undefined;
  /** Bytes of an IP packet; of a Pod's port usually the Pod's own. */
  mtu: number | undefined;
  externalIds: Strings;
  /** Waits in an active-backup bond for the active member to fail: what arrives by it is dropped by NORMAL. */
  idle?: boolean;
}

export interface PortView {
  uuid: string;
  name: string;
  bridge: string;
  tag: number | undefined;
  trunks: readonly number[];
  vlanMode: string | undefined;
  externalIds: Strings;
  otherConfig: Strings;
  interfaces: readonly InterfaceView[];
  /** Of a port with several interfaces. */
  bond?: { mode: string; lacp: boolean };
  /** Made by us: it carries our owner mark. */
  ours: boolean;
  /** Attached by the administrator, who allows us to use it. */
  adoptable: boolean;
}

/** A row of the table Mirror: what arrives at `sources` and what leaves by `destinations` is copied to `output`. */
export interface MirrorView {
  uuid: string;
  name: string;
  /** UUIDs of Port rows, sorted. */
  sources: readonly string[];
  destinations: readonly string[];
  /** UUID of a Port row; undefined once that port is gone. */
  output: string | undefined;
  /** It selects or changes packets by more than these columns. */
  isSpecial: boolean;
  /** Made by us: it carries our owner mark. */
  ours: boolean;
}

export interface BridgeView {
  name: string;
  /** `system` or `netdev`. */
  datapath: string;
  failMode: string | undefined;
  externalIds: Strings;
  ports: readonly PortView[];
  /** Everybody's. */
  mirrors: readonly MirrorView[];
}

export interface OvsView {
  externalIds: Strings;
  otherConfig: Strings;
  /** Such as 3.1.0; undefined until ovs-vswitchd says. */
  version: string | undefined;
  /** Ordered by name, so that every decision is the same each time. */
  bridges: readonly BridgeView[];
  /** All ports of all bridges by name; names are unique in one Open vSwitch. */
  ports: ReadonlyMap<string, PortView>;
}

const OWNER_MARK = { [EXTERNAL_IDS.owner]: FIELD_MANAGER };

/** external_ids of every row that we make. */
export function ownerMark(): Readonly<Record<string, string>> {
  return OWNER_MARK;
}

/** The view as of now, joined anew only after a row has changed: a pass asks for it again and again. */
export function viewsOf(replica: OvsReplica): () => OvsView {
  let made = { version: replica.version, view: viewOf(replica) };
  return () => {
    const { version } = replica;
    if (version !== made.version) made = { version, view: viewOf(replica) };
    return made.view;
  };
}

function viewOf(replica: OvsReplica): OvsView {
  const portRows = replica.rows("Port");
  const interfaceRows = replica.rows("Interface");
  const mirrorRows = replica.rows("Mirror");
  const ports = new Map<string, PortView>();
  const bridges = [...replica.rows("Bridge").values()].map((bridge): BridgeView => {
    const ofBridge = bridge.ports.flatMap((uuid): PortView[] => {
      const row = portRows.get(uuid);
      if (!row) return [];
      const interfaces = row.interfaces.flatMap((id): InterfaceView[] => {
        const found = interfaceRows.get(id);
        return found
          ? [
              {
                uuid: id,
                name: found.name,
                type: found.type,
                options: found.options,
                ofport: found.ofport !== undefined && found.ofport > 0 ? found.ofport : undefined,
                error: found.error,
                linkState: found.link_state,
                ifindex: found.ifindex,
                mtu: found.mtu,
                externalIds: found.external_ids,
                ...(isIdle(row, found.mac_in_use) ? { idle: true } : {}),
              },
            ]
          : [];
      });
      const port: PortView = {
        uuid,
        name: row.name,
        bridge: bridge.name,
        tag: row.tag,
        trunks: row.trunks,
        vlanMode: row.vlan_mode,
        externalIds: row.external_ids,
        otherConfig: row.other_config,
        interfaces,
        ...(row.interfaces.length > 1 ? { bond: { mode: modeOf(row), lacp: (row.lacp ?? "off") !== "off" } } : {}),
        ours: row.external_ids.get(EXTERNAL_IDS.owner) === FIELD_MANAGER,
        adoptable: row.external_ids.get(EXTERNAL_IDS.adopt) === "true",
      };
      ports.set(port.name, port);
      return [port];
    });
    return {
      name: bridge.name,
      datapath: bridge.datapath_type === "" ? "system" : bridge.datapath_type,
      failMode: bridge.fail_mode,
      externalIds: bridge.external_ids,
      ports: ofBridge.sort((a, b) => (a.name < b.name ? -1 : 1)),
      mirrors: bridge.mirrors.flatMap((id) => {
        const row = mirrorRows.get(id);
        return row ? [mirrorView(id, row)] : [];
      }),
    };
  });
  bridges.sort((a, b) => (a.name < b.name ? -1 : 1));
  const [root] = replica.rows("Open_vSwitch").values();
  const {
    external_ids: externalIds = new Map(),
    other_config: otherConfig = new Map(),
    ovs_version: version,
  } = root ?? {};
  return { externalIds, otherConfig, version, bridges, ports };
}

function mirrorView(uuid: string, row: MirrorRow): MirrorView {
  return {
    uuid,
    name: row.name,
    sources: [...row.select_src_port].sort(),
    destinations: [...row.select_dst_port].sort(),
    output: row.output_port,
    isSpecial:
      row.select_all || row.select_vlan.length > 0 || row.output_vlan !== undefined || row.snaplen !== undefined,
    ours: row.external_ids.get(EXTERNAL_IDS.owner) === FIELD_MANAGER,
  };
}

/** The active member of a bond is known by its MAC address. */
function isIdle(port: Bonding, mac: string | undefined): boolean {
  const { interfaces, bond_active_slave: active = "" } = port;
  const isBackup = interfaces.length > 1 && modeOf(port) === "active-backup";
  return isBackup && active !== "" && mac !== undefined && mac !== active;
}

/** A bond without a mode is active-backup (ovs-vswitchd.conf.db(5)). */
function modeOf({ bond_mode: mode = "active-backup" }: Bonding): string {
  return mode;
}

interface Bonding {
  interfaces: readonly string[];
  bond_mode?: string | undefined;
  bond_active_slave?: string | undefined;
}

export function bridgeOf(view: OvsView, name: string): BridgeView | undefined {
  return view.bridges.find((bridge) => bridge.name === name);
}
