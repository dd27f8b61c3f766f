/** Which ports a spec asks for, in a form in which two can be compared. Used by the rules between objects and by warnings. */
import { canonicalAddress } from "./address";
import { has, member } from "./field";

/** One port that a spec asks for. */
export interface Claim {
  role: "targetPort" | "returnPort";
  /** Packets leave through it, and what comes back goes on; else copies. */
  isRedirect: boolean;
  path: string;
  /** Equal for two claims that mean the same port on a node. */
  port: string;
  /** Must be equal then, too. */
  shape: string;
  /** Both for people. */
  portText: string;
  shapeText: string;
}

/** A tunnel in UDP that a spec asks for. */
export interface Tunnel {
  /** Of its destinationPort, whether that is written or not. */
  path: string;
  kind: "geneve" | "vxlan";
  udpPort: number;
  /** In one spelling. */
  remote: string;
}

const UDP_PORTS = { geneve: 6081, vxlan: 4789 } as const;

/** The tunnels in UDP among the ports of a right spec. */
export function tunnels(spec: unknown): Tunnel[] {
  return (["targetPort", "returnPort"] as const).flatMap((role) =>
    (["geneve", "vxlan"] as const).flatMap((kind): Tunnel[] => {
      const port = member(member(spec, role), kind);
      const udpPort = member(port, "destinationPort") ?? UDP_PORTS[kind];
      const remote = canonicalAddress(scalar(member(port, "remoteIP")));
      if (remote === undefined || typeof udpPort !== "number") return [];
      return [{ path: `spec.${role}.${kind}.destinationPort`, kind, udpPort, remote }];
    }),
  );
}

/** At most one for targetPort and one for returnPort; whatever is wrong in them is left to the rules. */
export function claims(spec: unknown): Claim[] {
  return (["targetPort", "returnPort"] as const).flatMap((role) => {
    const port = member(spec, role);
    const kind = ["ovsInternal", "device", "geneve", "vxlan", "gre", "erspan"].find((name) => has(port, name));
    const isRedirect = member(spec, "action") === "Redirect";
    return kind === undefined ? [] : [{ ...claim(role, kind, member(port, kind)), isRedirect }];
  });
}

function claim(role: Claim["role"], kind: string, port: unknown): Omit<Claim, "isRedirect"> {
  const path = `spec.${role}.${kind}`;
  const read = (field: string, fallback: number): string => scalar(member(port, field) ?? fallback);
  const written = scalar(member(port, "remoteIP") ?? "");
  const remote = canonicalAddress(written) ?? written;
  switch (kind) {
    case "ovsInternal":
    case "device": {
      const name = scalar(member(port, "name") ?? "");
      const shapeText = kind === "device" ? "a device" : "an ovsInternal port";
      return { role, path: `${path}.name`, port: `port ${name}`, shape: kind, portText: `"${name}"`, shapeText };
    }
    case "erspan": {
      const version = read("version", 0);
      const fields = version === "1" ? ["index"] : ["dir", "hardwareID"];
      const shape = [`version ${version}`, ...fields.map((field) => `${field} ${read(field, 0)}`)].join(", ");
      const portText = `session ${read("sessionID", 0)} to ${remote}`;
      return { role, path, port: `erspan ${portText}`, shape, portText, shapeText: shape };
    }
    default: {
      const udp =
        kind === "gre" ? "" : ` port ${read("destinationPort", UDP_PORTS[kind === "geneve" ? "geneve" : "vxlan"])}`;
      const key = kind === "gre" ? `key ${read("key", 0)}` : `VNI ${read("vni", 0)}`;
      const portText = `the ${kind} tunnel to ${remote}${udp} with ${key}`;
      return { role, path, port: portText, shape: "", portText, shapeText: "" };
    }
  }
}

function scalar(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}
