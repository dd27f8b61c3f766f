/** The columns of the Open_vSwitch database that this package knows by type (ovs-vswitchd.conf.db(5)). */

type Strings = ReadonlyMap<string, string>;

export interface Tables {
  Open_vSwitch: {
    bridges: string[];
    /** Incremented by a client that wants to wait; ovs-vswitchd sets cur_cfg to it when it has done everything up to there. */
    next_cfg: number;
    cur_cfg: number;
    ovs_version: string | undefined;
    datapath_types: string[];
    external_ids: Strings;
    other_config: Strings;
  };
  Bridge: {
    name: string;
    ports: string[];
    mirrors: string[];
    /** `system` (kernel) or `netdev` (userspace); "" is `system`. */
    datapath_type: string;
    datapath_id: string | undefined;
    /** `standalone` or `secure`; undefined is standalone. */
    fail_mode: string | undefined;
    protocols: string[];
    controller: string[];
    stp_enable: boolean;
    rstp_enable: boolean;
    external_ids: Strings;
    other_config: Strings;
  };
  Port: {
    name: string;
    interfaces: string[];
    /** Access VLAN, 0-4095; undefined for a port that is a trunk of all VLANs. */
    tag: number | undefined;
    trunks: number[];
    vlan_mode: string | undefined;
    bond_mode: string | undefined;
    /** MAC address of the member that a bond sends by; "" or undefined while there is none. */
    bond_active_slave: string | undefined;
    /** `active`, `passive` or `off`; undefined is off. */
    lacp: string | undefined;
    external_ids: Strings;
    other_config: Strings;
  };
  Interface: {
    name: string;
    /** "" and `system` for a device of the host, else `internal`, `vxlan`, `patch`…. */
    type: string;
    options: Strings;
    /** OpenFlow port number; -1 if the interface could not be opened; undefined before ovs-vswitchd has tried. */
    ofport: number | undefined;
    ofport_request: number | undefined;
    /** What ovs-vswitchd says when it could not open or configure the interface. */
    error: string | undefined;
    /** 0 if there is no such device. */
    ifindex: number | undefined;
    link_state: string | undefined;
    admin_state: string | undefined;
    /** MAC address of the host's end, not of what is behind it. */
    mac_in_use: string | undefined;
    mtu: number | undefined;
    statistics: ReadonlyMap<string, number>;
    status: Strings;
    external_ids: Strings;
    other_config: Strings;
  };
  Mirror: {
    name: string;
    select_all: boolean;
    select_src_port: string[];
    select_dst_port: string[];
    /** Packets in one of these VLANs only; empty for all. */
    select_vlan: number[];
    output_port: string | undefined;
    output_vlan: number | undefined;
    /** Copies are cut to so many bytes; undefined for whole ones. */
    snaplen: number | undefined;
    statistics: ReadonlyMap<string, number>;
    external_ids: Strings;
  };
}

export type TableName = keyof Tables;

/** Which columns of which tables are wanted. */
export type Selection = { [T in TableName]?: readonly (keyof Tables[T])[] };

/** A row with its UUID and the chosen columns. */
export type Row<T extends TableName, C extends keyof Tables[T] = keyof Tables[T]> = { uuid: string } & Pick<
  Tables[T],
  C
>;

/** The row type that a selection gives for a table. */
export type SelectedRow<S extends Selection, T extends TableName> = S[T] extends readonly (infer C)[]
  ? Row<T, C & keyof Tables[T]>
  : never;
