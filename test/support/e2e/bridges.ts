/**
 * What a node's Open vSwitch looks like, so that "as before" can be checked: flows, port list and every column of every
 * row, apart from statistics, MAC tables and port numbering. Used by the end-to-end tests and the demo.
 */
import type { Cluster } from "../../../hack/cluster";

/** One line per fact. */
export type BridgeState = string[];

/** Columns that change by themselves, or with any client that waits for the daemon. */
const VOLATILE: Record<string, string[]> = {
  Open_vSwitch: ["statistics", "cur_cfg", "next_cfg"],
  Interface: ["statistics", "ofport", "link_resets"],
  Port: ["statistics", "rstp_statistics"],
  Mirror: ["statistics"],
};

/** Keys of a bridge's external_ids by which ovn-controller says up to where it has followed its databases. */
const OVN_VERSION = /\["ovn-nb-cfg(-ts)?","\d+"\],?/g;

const SCRIPT = `
set -e
for bridge in $(ovs-vsctl -t 10 list-br); do
  for what in dump-flows dump-groups dump-meters dump-ports-desc; do
    echo "@ $bridge $what"; ovs-ofctl -t 10 -O OpenFlow14 --no-stats $what $bridge
  done
done
echo "@ - links"; ip -o link show
echo "@ - database"; ovsdb-client -t 10 --format=json dump
`;

export async function bridgeState(cluster: Cluster, node: string): Promise<BridgeState> {
  const { stdout, stderr, exitCode } = await cluster.exec(node, "sh", ["-c", SCRIPT]);
  if (exitCode !== 0) throw new Error(`The Open vSwitch of ${node} cannot be read: ${stderr.trim()}`);
  return factsOf(stdout);
}

/** Pure: what the script has printed → one line per fact. */
export function factsOf(printed: string): BridgeState {
  return printed
    .split(/^@ /m)
    .filter((section) => section !== "")
    .flatMap((section) => {
      const [title = "", ...lines] = section.split("\n");
      return facts(title, lines).map((fact) => `${title}: ${fact}`);
    })
    .sort();
}

/** What has gone ("- …") and what has come ("+ …"). */
export function bridgeDifference(before: BridgeState, after: BridgeState): string[] {
  const gone = new Set(before);
  const come = new Set(after);
  return [
    ...before.filter((fact) => !come.has(fact)).map((fact) => `- ${fact}`),
    ...after.filter((fact) => !gone.has(fact)).map((fact) => `+ ${fact}`),
  ];
}

function facts(title: string, lines: string[]): string[] {
  if (title.endsWith("database")) return lines.filter((line) => line.startsWith("{")).flatMap(rows);
  if (title.endsWith("links")) return lines.flatMap((line) => /^\d+: ([^:@]+)/.exec(line)?.[1] ?? []);
  const body = lines.filter((line) => line.trim() !== "" && !/^(OFP|NXST)\S* reply/.test(line));
  if (!title.endsWith("dump-ports-desc")) return body.map((line) => line.trim());
  // A port is a line " 3(name): addr:…" and indented ones about it; its number may change.
  return body
    .join("\n")
    .split(/\n(?=\s*\S+\(\S+\): )/)
    .map((port) => port.replace(/^\s*\S+\((\S+)\)/, "$1").replaceAll(/\s+/g, " "));
}

interface Table {
  caption: string;
  headings: string[];
  data: unknown[][];
}

/** One line per column, so that a difference names the column. */
function rows(line: string): string[] {
  const { caption, headings, data } = JSON.parse(line) as Table;
  const table = caption.replace(/ table$/, "");
  return data.flatMap((row) => {
    const name = row[headings.indexOf("name")] ?? row[headings.indexOf("_uuid")];
    return headings.flatMap((heading, column) =>
      VOLATILE[table]?.includes(heading) === true
        ? []
        : [`${table} ${JSON.stringify(name)} ${heading}=${JSON.stringify(row[column]).replace(OVN_VERSION, "")}`],
    );
  });
}
