/**
 * A plan's port as rows of Open vSwitch. Pure. Options follow ovs-vswitchd.conf.db(5), where erspan_idx and erspan_hwid
 * are hexadecimal numbers even without 0x: written in decimal, hardware ID 10 would be 16 on the wire.
 */
import { createHash } from "node:crypto";
import { isIPv6 } from "node:net";
import type { PlanPort, PlanRule, PortKind } from "@ovs-traffic-control/api";

/** What a port has to be in Open vSwitch. */
export interface PortSpec {
  /** Interface and Port name, at most 15 bytes. Tunnels: from what makes them unique, so equal ports are one port. */
  name: string;
  kind: PortKind | "patch";
  /** Interface.type. */
  type: "" | "internal" | "geneve" | "vxlan" | "gre" | "ip6gre" | "erspan" | "ip6erspan" | "patch";
  /** Interface.options. */
  options: Readonly<Record<string, string>>;
  /** Where a tunnel goes; null for local ports. */
  tunnel: TunnelEnd | null;
  /** Patch ports: the name of the target that they lead to. */
  serves?: string;
}

export interface TunnelEnd {
  remoteIP: string;
  /** null: GRE or ERSPAN, IP protocol 47. */
  udpPort: number | null;
}

const PREFIX = { geneve: "tc-gnv-", vxlan: "tc-vxl-", gre: "tc-gre-", erspan: "tc-ers-" } as const;

/** A plan's ports are asked for once per Pod and rule, and never change. */
const specs = new WeakMap<PlanPort, PortSpec>();

/** The spec of a plan's port. A plan comes validated: a port without exactly one kind is a bug. */
export function portSpec(port: PlanPort): PortSpec {
  const spec = specs.get(port) ?? specOf(port);
  specs.set(port, spec);
  return spec;
}

function specOf(port: PlanPort): PortSpec {
  if (port.ovsInternal) return local("ovsInternal", port.ovsInternal.name, "internal");
  if (port.device) return local("device", port.device.name, "");
  if (port.geneve) return udp("geneve", port.geneve);
  if (port.vxlan) return udp("vxlan", port.vxlan);
  if (port.gre) {
    const { remoteIP, key } = port.gre;
    // Key 0 is "no key": with `key=0` the GRE header would carry a key field.
    const options = { remote_ip: remoteIP, ...(key === 0 ? {} : { key: String(key) }) };
    return tunnel("gre", isIPv6(remoteIP) ? "ip6gre" : "gre", options, { remoteIP, udpPort: null }, key);
  }
  if (port.erspan) {
    const { remoteIP, sessionID, version, index = 0, dir = 0, hardwareID = 0 } = port.erspan;
    const header: Record<string, string> =
      version === 1
        ? { erspan_idx: `0x${index.toString(16)}` }
        : { erspan_dir: String(dir), erspan_hwid: `0x${hardwareID.toString(16)}` };
    const options = { remote_ip: remoteIP, key: String(sessionID), erspan_ver: String(version), ...header };
    return tunnel("erspan", isIPv6(remoteIP) ? "ip6erspan" : "erspan", options, { remoteIP, udpPort: null }, sessionID);
  }
  throw new Error(`A port of the plan has none of the six kinds: ${JSON.stringify(port)}`);
}

function local(kind: "ovsInternal" | "device", name: string, type: "" | "internal"): PortSpec {
  return { name, kind, type, options: {}, tunnel: null };
}

function udp(
  kind: "geneve" | "vxlan",
  { remoteIP, destinationPort, vni }: { remoteIP: string; destinationPort: number; vni: number },
): PortSpec {
  const options = {
    remote_ip: remoteIP,
    dst_port: String(destinationPort),
    ...(vni === 0 ? {} : { key: String(vni) }),
  };
  return tunnel(kind, kind, options, { remoteIP, udpPort: destinationPort }, vni);
}

/**
 * The name is a hash of what Open vSwitch tells tunnels apart by (type, remote address, UDP port, key), not of all
 * options: two ports that differ in an ERSPAN index only cannot exist side by side ("File exists"), so a change of the
 * index has to be a change of the same row.
 */
function tunnel(
  kind: keyof typeof PREFIX,
  type: PortSpec["type"],
  options: Record<string, string>,
  end: TunnelEnd,
  key: number,
): PortSpec {
  const identity = [kind, end.remoteIP, end.udpPort ?? "", key].join("|");
  const hash = createHash("sha256").update(identity).digest("hex").slice(0, 8);
  return { name: `${PREFIX[kind]}${hash}`, kind, type, options, tunnel: end };
}

/** The ports of a plan, each once, with the rules that use it. `clashes`: rules whose port contradicts an earlier one's. */
export interface DesiredPorts {
  specs: ReadonlyMap<string, PortSpec>;
  clashes: ReadonlyMap<number, string>;
}

/** The specs of a rule's ports: the target, and after it the return port of a Redirect. */
export function portsOf({ targetPort, returnPort }: Pick<PlanRule, "targetPort" | "returnPort">): PortSpec[] {
  return [portSpec(targetPort), ...(returnPort ? [portSpec(returnPort)] : [])];
}

/** `wanted[i]` are the ports of rule i. Rules in order of precedence: the first one wins. */
export function desiredPorts(wanted: readonly (readonly PortSpec[])[]): DesiredPorts {
  const specs = new Map<string, PortSpec>();
  const clashes = new Map<number, string>();
  wanted.forEach((ports, rule) => {
    const clash = ports.map((spec) => clashOf(spec, specs.get(spec.name))).find((message) => message !== null);
    if (clash != null) clashes.set(rule, clash);
    else for (const spec of ports) specs.set(spec.name, spec);
  });
  return { specs, clashes };
}

function clashOf(spec: PortSpec, other: PortSpec | undefined): string | null {
  if (!other || JSON.stringify(other) === JSON.stringify(spec)) return null;
  return spec.kind === "erspan" && other.kind === "erspan"
    ? `Another TrafficControl has an ERSPAN session with the same number to ${spec.tunnel?.remoteIP ?? ""} but other fields; Open vSwitch allows one. Use another sessionID.`
    : `Another TrafficControl uses port ${spec.name} as ${other.kind}; this one wants it as ${spec.kind}. Use another name.`;
}
