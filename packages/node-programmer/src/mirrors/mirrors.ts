/**
 * Our Mirror rows on the bridges that have them: made, repaired, attached again when another agent has cleared
 * Bridge.mirrors (kube-ovn-cni does when it starts), taken away, and read for what they have copied. Rows of others are never
 * touched. That a changed row acts at once is up to the caller: Open vSwitch does not look at cached flows again because of it.
 */
import { fromWire, ok } from "ovs-ofctl-wrapper";
import type { Operation, Ovsdb, Result } from "ovs-ofctl-wrapper";
import type { BridgeView, OvsView } from "../ovs";
import type { BridgeInput } from "../pipeline";
import { MOST_MIRRORS, copiesTheSame, rowChanges, wantedRows } from "./rows";
import type { WantedRow } from "./rows";

/** What a row has copied. */
export interface RowCount {
  /** UUID of the row: another one counts anew. */
  row: string;
  /** UID of the TrafficControl that it counts for. */
  uid: string;
  packets: number;
  bytes: number;
}

export interface MirrorsWorld {
  db: Ovsdb;
  view: () => OvsView;
  /** First operations of each transaction: the lock's assert. */
  guards: () => Operation[];
  /** What all our rows on a bridge have copied. */
  counted: (bridge: string, rows: readonly RowCount[]) => void;
}

/** Milliseconds after which ovs-vswitchd has written statistics of every row that works, twice over. */
const FIRST_STATISTICS = 12_000;

export class Mirrors {
  /** Bridge → the rows that our last call has left. */
  private readonly left = new Map<string, readonly WantedRow[]>();
  /** Port row that copies leave through → UID of the TrafficControl that they count for. */
  private readonly uids = new Map<string, string>();
  /** Names of bridges whose rows have been counted before. */
  private readonly counted = new Set<string>();
  /** Row → when it was first seen without statistics. */
  private readonly silentSince = new Map<string, number>();

  constructor(private readonly world: MirrorsWorld) {}

  /** Names of bridges that have rows of ours, wanted or not. */
  bridges(): string[] {
    return this.world
      .view()
      .bridges.filter(({ mirrors }) => mirrors.some(({ ours }) => ours))
      .map(({ name }) => name);
  }

  /**
   * Makes the bridge's rows those that the input asks for, none without one. Returns how many were changed, and whether
   * somebody else had undone what we had left; after the first, cached flows have to be looked at again.
   */
  async apply(
    bridge: BridgeView,
    input: BridgeInput | undefined,
  ): Promise<Result<{ changes: number; repaired: boolean }>> {
    const wanted = input?.pipeline === "MirrorRows" ? wantedRows(input, bridge) : [];
    const { operations, changed } = rowChanges(wanted, bridge);
    for (const { output, uid } of wanted) this.uids.set(output, uid);
    // What a former programmer's rows have counted is no news.
    if (!this.counted.has(bridge.name)) await this.count([bridge]);
    const before = this.left.get(bridge.name) ?? [];
    const isUnchanged = (row: WantedRow): boolean =>
      before.some((left) => left.name === row.name && copiesTheSame(left, row));
    const repaired = wanted.some((row) => changed.includes(row.name) && isUnchanged(row));
    if (wanted.length > 0) this.left.set(bridge.name, wanted);
    else this.left.delete(bridge.name);
    if (operations.length === 0) return ok({ changes: 0, repaired: false });
    const done = await this.world.db.transactAndWait([...this.world.guards(), ...operations]);
    if (done.ok) return ok({ changes: changed.length, repaired });
    this.left.delete(bridge.name);
    return done;
  }

  /** Reads what the rows have copied. Called now and then. */
  async count(bridges = this.world.view().bridges.filter(({ name }) => this.left.has(name))): Promise<void> {
    if (bridges.length === 0) return;
    const answer = await this.world.db.transact([
      { op: "select", table: "Mirror", where: [], columns: ["_uuid", "statistics"] },
    ]);
    if (!answer.ok) return;
    const counts = new Map(
      (answer.value[0]?.rows ?? []).map((row) => [
        fromWire(row["_uuid"]!, "scalar") as string,
        fromWire(row["statistics"]!, "map") as Map<string, number>,
      ]),
    );
    const now = performance.now();
    for (const { name, mirrors } of bridges) {
      const rows: RowCount[] = [];
      for (const { uuid: row, output = "", ours } of mirrors) {
        const statistics = counts.get(row);
        if (!ours || statistics === undefined) continue;
        if (statistics.size > 0) this.silentSince.delete(row);
        else if (!this.silentSince.has(row)) this.silentSince.set(row, now);
        const uid = this.uids.get(output);
        const [packets, bytes] = [statistics.get("tx_packets"), statistics.get("tx_bytes")];
        if (uid !== undefined && packets !== undefined && bytes !== undefined) rows.push({ row, uid, packets, bytes });
      }
      this.world.counted(name, rows);
      this.counted.add(name);
    }
    for (const row of this.silentSince.keys()) if (!counts.has(row)) this.silentSince.delete(row);
  }

  /**
   * Names of our rows on the bridge that ovs-vswitchd has found no room for: others have made more than 32 in all, and after
   * a restart it takes any 32 of them. Such a row has no statistics.
   */
  ignored({ mirrors }: BridgeView): Set<string> {
    if (mirrors.length <= MOST_MIRRORS) return new Set();
    const now = performance.now();
    const silent = mirrors.filter(
      ({ uuid: row, ours }) => ours && now - (this.silentSince.get(row) ?? Infinity) >= FIRST_STATISTICS,
    );
    return new Set(silent.map(({ name }) => name));
  }
}
