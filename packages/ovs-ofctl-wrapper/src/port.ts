/** Output of dump-ports-desc, dump-aggregate and dump-tables as values. Called by OpenFlow. */

/** One OpenFlow port of a bridge. */
export interface OpenFlowPort {
  /** OpenFlow port number; 65534 is the bridge's own LOCAL port. */
  number: number;
  /** Name of the interface. */
  name: string;
  /** MAC address of the host side of the port, lower case. */
  mac: string;
  /** OpenFlow configuration flags such as PORT_DOWN, NO_FLOOD (shown by OpenFlow 1.0 only), NO_RECV. */
  config: string[];
  /** State flags such as LINK_DOWN, LIVE. */
  state: string[];
}

/** Sums over several flows. */
export interface AggregateStatistics {
  packets: number;
  bytes: number;
  flows: number;
}

export const LOCAL_PORT = 65534;

export function parsePorts(output: string): OpenFlowPort[] {
  const ports: OpenFlowPort[] = [];
  for (const line of output.split("\n")) {
    const head = /^ (\d+|LOCAL)\((.*)\): addr:([0-9a-f:]{17})/.exec(line);
    if (head) {
      const number = head[1] === "LOCAL" ? LOCAL_PORT : Number(head[1]);
      ports.push({ number, name: head[2]!.replace(/^"(.*)"$/, "$1"), mac: head[3]!, config: [], state: [] });
      continue;
    }
    const flags = /^ +(config|state): +(.*)/.exec(line);
    const last = ports.at(-1);
    if (flags && last) last[flags[1] as "config" | "state"] = flags[2] === "0" ? [] : flags[2]!.split(" ");
  }
  return ports;
}

export function parseAggregate(output: string): AggregateStatistics | null {
  const found = /packet_count=(\d+) byte_count=(\d+) flow_count=(\d+)/.exec(output);
  return found && { packets: Number(found[1]), bytes: Number(found[2]), flows: Number(found[3]) };
}

/** One flow table of a bridge. */
export interface TableStatistics {
  /** 0-254. */
  table: number;
  flows: number;
  /** Packets looked up in the table, and those for which a flow was found. */
  lookups: number;
  matched: number;
}

/** `tables 2...9: ditto` stands for tables that say the same as the one before. */
export function parseTables(output: string): TableStatistics[] {
  const tables: TableStatistics[] = [];
  for (const line of output.split("\n")) {
    const head = /^ *table (\d+)(?: \(".*"\))?:/.exec(line);
    if (head && !line.includes("ditto")) tables.push({ table: Number(head[1]), flows: 0, lookups: 0, matched: 0 });
    const last = tables.at(-1);
    const counts = /^ *active=(\d+), lookup=(\d+), matched=(\d+)/.exec(line);
    if (counts && last) {
      const [flows, lookups, matched] = counts.slice(1).map(Number) as [number, number, number];
      Object.assign(last, { flows, lookups, matched });
    }
    const ditto = /^ *tables? (\d+)(?:\.\.\.(\d+))?: ditto/.exec(line);
    if (ditto && last)
      for (let table = Number(ditto[1]); table <= Number(ditto[2] ?? ditto[1]); table++)
        if (table > last.table) tables.push({ ...last, table });
  }
  return tables;
}
