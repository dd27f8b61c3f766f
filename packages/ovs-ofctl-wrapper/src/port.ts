/** Output of dump-ports-desc and dump-aggregate as values. Called by OpenFlow. */

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
