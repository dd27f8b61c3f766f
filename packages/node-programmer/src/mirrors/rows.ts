/**
 * Which rows of the table Mirror a bridge has to have, where its pipeline is not one that we have flows for: one per target
 * port, because Open vSwitch knows 32 per bridge (MAX_MIRRORS in ofproto/ofproto-dpif-mirror.h), and copies a packet once for
 * each output port. Pure. Called by Mirrors, and by resolve, which says for whom there is no room.
 */
import { map, namedUuid, set, uuid } from "ovs-ofctl-wrapper";
import type { Operation, Wire } from "ovs-ofctl-wrapper";
import { ownerMark } from "../ovs";
import type { BridgeView, MirrorView } from "../ovs";
import type { BridgeInput } from "../pipeline";

export const MOST_MIRRORS = 32;

/** One row as it has to be; ports are UUIDs of Port rows, sorted. */
export interface WantedRow {
  /** Of the target port, or of the patch port towards it. */
  name: string;
  output: string;
  sources: readonly string[];
  destinations: readonly string[];
  /** UID of the TrafficControl that its packets are counted for: the oldest with this target. */
  uid: string;
}

/** The rows that the input asks for, in order of precedence. */
export function wantedRows({ taps, pods }: Pick<BridgeInput, "taps" | "pods">, bridge: BridgeView): WantedRow[] {
  const ports = new Map(bridge.ports.flatMap((port) => port.interfaces.map(({ ofport }) => [ofport, port] as const)));
  const bits = new Map<number, Set<number>>();
  for (const { target, bit } of taps) bits.set(target, (bits.get(target) ?? new Set()).add(bit));
  return [...bits].flatMap(([target, wanted]) => {
    const output = ports.get(target);
    if (output === undefined) return [];
    const chosen = (direction: "egress" | "ingress"): string[] => {
      const among = pods.filter((pod) => pod[direction].some((bit) => wanted.has(bit)));
      return [...new Set(among.flatMap(({ ofport }) => ports.get(ofport)?.uuid ?? []))].sort();
    };
    return {
      name: output.name,
      output: output.uuid,
      // The port sends what arrives at it.
      sources: chosen("egress"),
      destinations: chosen("ingress"),
      uid: taps.find((tap) => tap.target === target)!.uid,
    };
  });
}

/** Of output ports by name, in order of precedence: those for which the bridge has no room. Rows that are there keep theirs. */
export function withoutRoom(bridge: BridgeView, outputs: Iterable<string>): Set<string> {
  const wanted = new Set(outputs);
  const present = new Set(bridge.mirrors.filter(({ ours, name }) => ours && wanted.has(name)).map(({ name }) => name));
  const foreign = bridge.mirrors.filter(({ ours }) => !ours).length;
  let room = MOST_MIRRORS - foreign - present.size;
  return new Set([...wanted].filter((name) => !present.has(name) && room-- <= 0));
}

/** What leads from the bridge's rows to the wanted ones. `changed`: names of rows that are made, changed or taken away. */
export function rowChanges(
  wanted: readonly WantedRow[],
  bridge: BridgeView,
): { operations: Operation[]; changed: string[] } {
  const own = new Map<string, MirrorView>();
  const surplus: MirrorView[] = [];
  const names = new Set(wanted.map(({ name }) => name));
  for (const row of bridge.mirrors.filter(({ ours }) => ours))
    if (names.has(row.name) && !own.has(row.name)) own.set(row.name, row);
    else surplus.push(row);
  const different = wanted.filter((row) => !isAsWanted(own.get(row.name), row));
  // No row of a bridge: the database itself takes it away.
  const gone = set(surplus.map((row) => uuid(row.uuid)));
  return {
    operations: [
      ...(surplus.length > 0 ? [mutateMirrors(bridge, "delete", gone)] : []),
      ...different.flatMap((row, index) => {
        const present = own.get(row.name);
        return present ? [update(present.uuid, row)] : insert(bridge, row, `mirror${index}`);
      }),
    ],
    changed: [...surplus, ...different].map(({ name }) => name),
  };
}

/** Whether the row is there as it should be; `undefined`: it is not there at all. */
function isAsWanted(row: MirrorView | undefined, wanted: WantedRow): boolean {
  return row !== undefined && !row.isSpecial && copiesTheSame(row, wanted);
}

type Copies = Pick<MirrorView, "output" | "sources" | "destinations">;

/** Whether the two rows copy the same packets to the same port. */
export function copiesTheSame(a: Copies, b: Copies): boolean {
  return (
    a.output === b.output && a.sources.join() === b.sources.join() && a.destinations.join() === b.destinations.join()
  );
}

function columns({ name, output, sources, destinations }: WantedRow): Readonly<Record<string, Wire>> {
  return {
    name,
    output_port: uuid(output),
    select_src_port: set(sources.map(uuid)),
    select_dst_port: set(destinations.map(uuid)),
  };
}

const PLAIN = { select_all: false, select_vlan: set([]), output_vlan: set([]), snaplen: set([]) };

function update(id: string, wanted: WantedRow): Operation {
  return { op: "update", table: "Mirror", where: [["_uuid", "==", uuid(id)]], row: { ...columns(wanted), ...PLAIN } };
}

function insert(bridge: BridgeView, wanted: WantedRow, as: string): Operation[] {
  return [
    {
      op: "insert",
      table: "Mirror",
      "uuid-name": as,
      row: { ...columns(wanted), external_ids: map(ownerMark()) },
    },
    mutateMirrors(bridge, "insert", set([namedUuid(as)])),
  ];
}

function mutateMirrors({ name }: BridgeView, mutator: "insert" | "delete", rows: Wire): Operation {
  return { op: "mutate", table: "Bridge", where: [["name", "==", name]], mutations: [["mirrors", mutator, rows]] };
}
