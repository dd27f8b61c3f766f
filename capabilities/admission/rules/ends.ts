/**
 * How many addresses tunnels lead to: every node's plan names all of them, and has room for a thousand. The controller leaves the newest
 * TrafficControls beyond out; who makes one learns it here, before it is stored.
 */
import { canonicalAddress } from "./address";
import { member } from "./field";
import type { Mistake } from "./mistake";
import { warning, type Warning } from "./warning";

const ROOM = 1000;
/** From so many on, whoever brings another one is told. */
const NEARLY = 900;

interface End {
  path: string;
  key: string;
}

export class TunnelEnds {
  private readonly specs = new Map<string, unknown>();
  /** How many TrafficControls lead to each. */
  private readonly users = new Map<string, number>();

  constructor(private readonly room = { most: ROOM, nearly: NEARLY }) {}

  put(name: string, spec: unknown): void {
    this.remove(name);
    this.specs.set(name, spec);
    for (const { key } of endsOf(spec)) this.users.set(key, (this.users.get(key) ?? 0) + 1);
  }

  remove(name: string): void {
    for (const { key } of endsOf(this.specs.get(name))) {
      const users = (this.users.get(key) ?? 0) - 1;
      if (users > 0) this.users.set(key, users);
      else this.users.delete(key);
    }
    this.specs.delete(name);
  }

  /** The ends of this spec for which there is no room beside those of the others. */
  excess(name: string, spec: unknown): Mistake[] {
    const { added, total } = this.with(name, spec);
    if (total <= this.room.most) return [];
    return added.map(({ path }) => ({
      path,
      kind: "Forbidden",
      message: `the tunnels of this cluster's TrafficControls lead to ${total - added.length} other addresses, and a node's plan has room for ${this.room.most}`,
      hint: "send to one of those, or delete TrafficControls that are not needed",
    }));
  }

  scarcity(name: string, spec: unknown): Warning[] {
    const { added, total } = this.with(name, spec);
    const [first] = added;
    if (first === undefined || total < this.room.nearly) return [];
    const message = `with this one, tunnels lead to ${total} different addresses; beyond ${this.room.most} no TrafficControl with another one is accepted`;
    return [warning("ManyTunnels", first.path, message)];
  }

  /** What the spec adds to what the others have, and how many there would be. */
  private with(name: string, spec: unknown): { added: End[]; total: number } {
    const own = new Set(endsOf(this.specs.get(name)).map(({ key }) => key));
    const isOnlyOurs = (key: string): boolean => own.has(key) && this.users.get(key) === 1;
    const added = endsOf(spec).filter(({ key }) => !this.users.has(key) || isOnlyOurs(key));
    const freed = [...own].filter(isOnlyOurs).length;
    return { added, total: this.users.size - freed + added.length };
  }
}

/** Of a spec's tunnels, each once; equal keys are one end, as the controller counts them. */
function endsOf(spec: unknown): End[] {
  const found = new Map<string, End>();
  for (const role of ["targetPort", "returnPort"])
    for (const kind of ["geneve", "vxlan", "gre", "erspan"]) {
      const port = member(member(spec, role), kind);
      const written = member(port, "remoteIP");
      if (typeof written !== "string") continue;
      const udpPort = { geneve: 6081, vxlan: 4789 }[kind];
      const destination = udpPort === undefined ? "" : (member(port, "destinationPort") ?? udpPort);
      const key = JSON.stringify([canonicalAddress(written) ?? written, destination]);
      if (!found.has(key)) found.set(key, { path: `spec.${role}.${kind}.remoteIP`, key });
    }
  return [...found.values()];
}
