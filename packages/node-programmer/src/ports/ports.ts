/**
 * Makes the plan's ports real and takes away those that nobody wants any more. Called by the reconciler, which never
 * runs twice at a time. Nothing that is not ours is changed, except an adopted port's isolation, which is put back.
 */
import { REASONS } from "@ovs-traffic-control/api";
import { createPort, deletePort, map, set, uuid } from "ovs-ofctl-wrapper";
import type { Appctl, OpenFlow, Operation, Ovsdb, Result, Wire } from "ovs-ofctl-wrapper";
import { bridgeOf, isAntrea, ownerMark } from "../ovs";
import type { BridgeView, OvsView, PortView } from "../ovs";
import type { Problem } from "../pods";
import type { HostNetwork, KernelTunnel } from "./host";
import { ISOLATION, SAVED_KEY, isIsolated, judge, judgeDevice, judgeTunnel, missing } from "./judge";
import { tooLong } from "./mtu";
import type { PathMtu } from "./mtu";
import { NextHops } from "./neighbours";
import type { PortSpec } from "./spec";

/** What became of one wanted port. */
export interface PortOutcome {
  spec: PortSpec;
  bridge: string;
  /** Present if the port can be used. */
  ofport?: number;
  /** Why it cannot. */
  problem?: Problem;
  /** Something to know although it works. */
  remark?: string;
  /** The same, of what does not pass by itself. */
  caution?: string;
}

export interface PortsWorld {
  db: Ovsdb;
  appctl: Appctl;
  openflow: OpenFlow;
  host: HostNetwork;
  /** The state of Open vSwitch now. */
  view: () => OvsView;
  /** First operations of each transaction: the lock's assert. */
  guards: () => Operation[];
}

/** Open vSwitch makes internal ports where it runs. */
const ELSEWHERE =
  "it is not among the node's devices, so ovs-vswitchd runs in another network namespace; copies there are no use. " +
  "Let ovs-vswitchd run in the node's network namespace, or use a tunnel";

/** Milliseconds that a daemon may need to learn the kernel's routes. */
const PATIENCE = 500;

/**
 * external_ids of a Port on Antrea's bridge. Without the key its agent crashes when it starts (pkg/agent/agent.go,
 * initInterfaceStore, v2.x); with this value it keeps floods away from the port and does nothing else.
 */
const ANTREA = { key: "antrea-type", value: "traffic-control" } as const;

const ISOLATED_COLUMNS: Readonly<Record<string, Wire>> = {
  vlan_mode: ISOLATION.vlanMode,
  trunks: ISOLATION.trunk,
  other_config: map({ [ISOLATION.otherConfig[0]]: ISOLATION.otherConfig[1] }),
};

export class Ports {
  /** Tunnels whose way is known to be good. */
  private readonly prepared = new Set<string>();
  /** Ways of tunnels, by port name; looked up after the flows are there, because packets are waiting for those. */
  private readonly paths = new Map<string, PathMtu>();
  /** Internal ports whose link has been set up. */
  private readonly up = new Set<string>();
  /** Asked when the first tunnel is made, and again in each round of lookAfter. */
  private readonly kernelTunnels = new Map<KernelTunnel["kind"], Promise<KernelTunnel[]>>();

  /** Tunnels, by port name → bytes of the longest IP packet of the Pods that they are for. */
  private longest: ReadonlyMap<string, number> = new Map();

  /** How often a port was made, repaired, adopted or removed. */
  changes = 0;

  private readonly nextHops: NextHops;
  private patientUntil = 0;

  constructor(private readonly world: PortsWorld) {
    this.nextHops = new NextHops(world.appctl, world.host);
  }

  /** ovs-vswitchd has been restarted: it has forgotten next hops, and may not know its routes yet. */
  restarted(): void {
    this.prepared.clear();
    this.patientUntil = Date.now() + PATIENCE;
  }

  /** What the ports are for, by name: bytes of the longest IP packet of the Pods that use them. */
  carry(longest: ReadonlyMap<string, number>): void {
    this.longest = longest;
  }

  /** The port as it has to be, made if missing. `bridge`: where, if it is not somewhere already. */
  async ensure(spec: PortSpec, bridge: string): Promise<PortOutcome> {
    const view = this.world.view();
    const verdict = judge(spec, view);
    switch (verdict.do) {
      case "refuse":
        return { spec, bridge: view.ports.get(spec.name)?.bridge ?? bridge, problem: verdict.problem };
      case "delete":
        await this.remove(verdict.port);
        return { spec, bridge: verdict.port.bridge, problem: verdict.problem };
      case "adopt":
        return this.adopt(spec, verdict.port, verdict.prepared);
      case "keep":
        return this.keep(spec, verdict.port, verdict.repair);
      case "create":
        return this.create(spec, bridge);
    }
  }

  /** Looks after what Open vSwitch forgets by itself: next hops of tunnels; and at what their ways have room for. Called now and then. */
  async lookAfter(outcomes: readonly PortOutcome[]): Promise<void> {
    await Promise.all(
      outcomes.map(async ({ spec, bridge, ofport }) => {
        const path = spec.tunnel && (await this.world.host.pathMtu(spec.tunnel.remoteIP));
        if (path) this.paths.set(spec.name, path);
        else this.paths.delete(spec.name);
        if (ofport === undefined || !this.routesItself(spec, bridge)) return;
        if ((await this.way(spec, true)) !== null) this.prepared.delete(spec.name);
      }),
    );
    for (const kind of this.kernelTunnels.keys()) this.kernelTunnels.set(kind, this.world.host.kernelTunnels(kind));
  }

  /** Deletes a port of ours, or gives an adopted one back as it was. The result says what went wrong, null if nothing. */
  async remove(port: PortView): Promise<string | null> {
    this.prepared.delete(port.name);
    this.paths.delete(port.name);
    this.up.delete(port.name);
    const { db, guards } = this.world;
    const done: Result<unknown> = port.ours
      ? await deletePort(db, port.bridge, port.name, ownerMark(), guards())
      : await this.giveBack(port);
    this.changes++;
    return done.ok ? null : `Port ${port.name} on bridge ${port.bridge} could not be removed: ${done.error.message}`;
  }

  private async giveBack(port: PortView): Promise<Result<unknown>> {
    const [row] = port.interfaces;
    // The flag that Bridges sets where somebody floods. It is not in the database.
    if (savedOf(port).flooded && row?.ofport !== undefined) {
      const flooded = await this.world.openflow.modPort(port.bridge, row.ofport, "flood");
      if (!flooded.ok) return flooded;
    }
    return this.world.db.transact([...this.world.guards(), ...settingsBefore(port)]);
  }

  private async create(spec: PortSpec, bridgeName: string): Promise<PortOutcome> {
    const bridge = bridgeOf(this.world.view(), bridgeName);
    if (!bridge) return failed(spec, bridgeName, `there is no bridge ${bridgeName}`);
    const [objection, way] = await Promise.all([this.objection(spec, bridge), this.prepare(spec, bridge)]);
    const problem = objection ?? (way && "reason" in way ? way : null);
    if (problem) return { spec, bridge: bridgeName, problem };
    const made = await createPort(
      this.world.db,
      {
        bridge: bridgeName,
        name: spec.name,
        type: spec.type,
        options: spec.options,
        externalIds: { ...ownerMark(), ...(isAntrea(bridge) ? { [ANTREA.key]: ANTREA.value } : {}) },
        portColumns: ISOLATED_COLUMNS,
      },
      this.world.guards(),
    );
    this.changes++;
    if (!made.ok) return failed(spec, bridgeName, made.error.message);
    return this.usable(spec, bridgeName, made.value.ofport ?? undefined, made.value.error, way);
  }

  private async keep(spec: PortSpec, port: PortView, repair: boolean): Promise<PortOutcome> {
    const bridge = bridgeOf(this.world.view(), port.bridge);
    const row = port.interfaces[0];
    // Another agent's look at its ports comes at any time, also before Antrea's first port was there.
    const isUnmarked = bridge !== undefined && isAntrea(bridge) && !port.externalIds.has(ANTREA.key);
    if ((repair || isUnmarked) && row) {
      const where = [["_uuid", "==", uuid(port.uuid)]] as [[string, "==", Wire]];
      const done = await this.world.db.transactAndWait([
        ...this.world.guards(),
        update("Interface", row.uuid, { type: spec.type, options: map(spec.options) }),
        update("Port", port.uuid, ISOLATED_COLUMNS),
        ...(isUnmarked ? putInMap(where, "external_ids", ANTREA.key, ANTREA.value) : []),
      ]);
      this.changes++;
      if (!done.ok) return failed(spec, port.bridge, done.error.message);
    }
    const way = bridge ? await this.prepare(spec, bridge) : null;
    if (way && "reason" in way) return { spec, bridge: port.bridge, problem: way };
    const now = this.world.view().ports.get(spec.name)?.interfaces[0] ?? row;
    if (now?.linkState !== "up") this.up.delete(spec.name);
    return this.usable(spec, port.bridge, now?.ofport, now?.error ?? "", way);
  }

  private async adopt(spec: PortSpec, port: PortView, prepared: boolean): Promise<PortOutcome> {
    const [row] = port.interfaces;
    if (!prepared) {
      const flooded = row?.ofport !== undefined && (await this.world.openflow.isFlooded(port.bridge, row.ofport));
      const saved: Saved = {
        vlan_mode: port.vlanMode ?? null,
        trunks: port.trunks,
        stp: port.otherConfig.get(ISOLATION.otherConfig[0]) ?? null,
        flooded: flooded && flooded.ok && flooded.value,
      };
      const where = [["_uuid", "==", uuid(port.uuid)]] as [[string, "==", Wire]];
      const done = await this.world.db.transactAndWait([
        ...this.world.guards(),
        update("Port", port.uuid, { vlan_mode: ISOLATION.vlanMode, trunks: ISOLATION.trunk }),
        ...putInMap(where, "other_config", ...ISOLATION.otherConfig),
        ...(port.externalIds.has(SAVED_KEY) ? [] : putInMap(where, "external_ids", SAVED_KEY, JSON.stringify(saved))),
      ]);
      this.changes++;
      if (!done.ok) return failed(spec, port.bridge, done.error.message);
    }
    return this.usable(spec, port.bridge, row?.ofport, row?.error ?? "", null);
  }

  private async objection(spec: PortSpec, bridge: BridgeView): Promise<Problem | null> {
    if (spec.kind === "device") return judgeDevice(spec.name, await this.world.host.link(spec.name));
    if (!spec.tunnel) return null;
    const { kind } = spec;
    const taken =
      bridge.datapath === "netdev" && (kind === "vxlan" || kind === "geneve") ? await this.tunnelsOfKernel(kind) : [];
    return judgeTunnel(spec, this.world.view(), bridge, taken);
  }

  private tunnelsOfKernel(kind: KernelTunnel["kind"]): Promise<KernelTunnel[]> {
    const known = this.kernelTunnels.get(kind) ?? this.world.host.kernelTunnels(kind);
    this.kernelTunnels.set(kind, known);
    return known;
  }

  /** What has to be true beyond the port itself before packets are sent into it; null if it is. */
  private async prepare(spec: PortSpec, bridge: BridgeView): Promise<Problem | { remark: string } | null> {
    if (!this.routesItself(spec, bridge.name) || this.prepared.has(spec.name)) return null;
    const way = await this.way(spec, false);
    if (way === null) this.prepared.add(spec.name);
    return way;
  }

  private async way(spec: PortSpec, again: boolean): Promise<Problem | { remark: string } | null> {
    const remoteIP = spec.tunnel?.remoteIP;
    if (remoteIP === undefined) return null;
    let hop = await this.nextHops.towards(this.world.view(), remoteIP);
    // A daemon that has just started has not read the kernel's routes yet.
    while (hop && "reason" in hop && Date.now() < this.patientUntil) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      hop = await this.nextHops.towards(this.world.view(), remoteIP);
    }
    if (hop === null || "reason" in hop) return hop;
    if (await this.nextHops.resolve(hop, again)) return null;
    return {
      remark: `The next hop ${hop.address} on ${hop.device} does not answer ARP or neighbour discovery; copies are lost until it does.`,
    };
  }

  private routesItself(spec: PortSpec, bridge: string): boolean {
    return spec.tunnel !== null && bridgeOf(this.world.view(), bridge)?.datapath === "netdev";
  }

  private async usable(
    spec: PortSpec,
    bridge: string,
    ofport: number | undefined,
    error: string,
    way: Problem | { remark: string } | null,
  ): Promise<PortOutcome> {
    if (ofport === undefined || ofport <= 0)
      return failed(spec, bridge, error === "" ? "it has no OpenFlow port number yet" : `Open vSwitch says "${error}"`);
    if (spec.kind === "ovsInternal" && !this.up.has(spec.name)) {
      const refused = await this.world.host.linkUp(spec.name);
      if (refused !== null) {
        const isElsewhere = (await this.world.host.link(spec.name)) === null;
        return failed(spec, bridge, isElsewhere ? ELSEWHERE : `its link cannot be set up: ${refused}`);
      }
      this.up.add(spec.name);
    }
    const caution = this.caution(spec);
    return {
      ...{ spec, bridge, ofport },
      ...(way && "remark" in way ? { remark: way.remark } : {}),
      ...(caution === undefined ? {} : { caution }),
    };
  }

  private caution(spec: PortSpec): string | undefined {
    const path = this.paths.get(spec.name);
    return path && tooLong(spec, this.longest.get(spec.name) ?? 0, path);
  }
}

/** Ports of ours, and adopted ones, that are not in `wanted`. Pure. */
export function unwantedPorts(view: OvsView, wanted: ReadonlySet<string>): PortView[] {
  return [...view.ports.values()].filter(
    (port) => (port.ours || port.externalIds.has(SAVED_KEY)) && !wanted.has(port.name),
  );
}

function failed(spec: PortSpec, bridge: string, why: string): PortOutcome {
  const gone = spec.kind === "device" && /No such device/.test(why);
  const problem = gone
    ? missing(spec.name)
    : { reason: REASONS.targetPortFailed, message: `Port ${spec.name} (${spec.kind}) on bridge ${bridge}: ${why}.` };
  return { spec, bridge, problem };
}

function update(table: "Port" | "Interface", id: string, row: Readonly<Record<string, Wire>>): Operation {
  return { op: "update", table, where: [["_uuid", "==", uuid(id)]], row };
}

/** OVSDB's map insert leaves an existing key as it is, so it is deleted first. */
function putInMap(where: [[string, "==", Wire]], column: string, key: string, value: string): Operation[] {
  return [
    {
      op: "mutate",
      table: "Port",
      where,
      mutations: [
        [column, "delete", set([key])],
        [column, "insert", map({ [key]: value })],
      ],
    },
  ];
}

/** What an adopted port was before, as we keep it in its external_ids. */
interface Saved {
  vlan_mode?: string | null;
  trunks?: readonly number[];
  stp?: string | null;
  /** FLOOD reached it. */
  flooded?: boolean;
}

function savedOf(port: PortView): Saved {
  return JSON.parse(port.externalIds.get(SAVED_KEY) ?? "{}") as Saved;
}

function settingsBefore(port: PortView): Operation[] {
  const where = [["_uuid", "==", uuid(port.uuid)]] as [[string, "==", Wire]];
  const saved = savedOf(port);
  const [stpKey] = ISOLATION.otherConfig;
  const restored: Operation[] = isIsolated(port)
    ? [
        update("Port", port.uuid, { vlan_mode: saved.vlan_mode ?? set([]), trunks: set(saved.trunks ?? []) }),
        ...(saved.stp == null
          ? [
              {
                op: "mutate",
                table: "Port",
                where,
                mutations: [["other_config", "delete", set([stpKey])]],
              } satisfies Operation,
            ]
          : putInMap(where, "other_config", stpKey, saved.stp)),
      ]
    : // Somebody has changed the isolation meanwhile: his settings are the newer ones.
      [];
  return [
    ...restored,
    { op: "mutate", table: "Port", where, mutations: [["external_ids", "delete", set([SAVED_KEY])]] },
  ];
}
