/** What the demo shows at its end. Pure: what was found → text. Used by main.ts. */
import type { Packet } from "../../test/support/decode";

/** One thing that the demo is there to show. */
export interface Check {
  text: string;
  seen: boolean;
}

export interface Findings {
  /** Seconds that each step took, in order. */
  steps: { title: string; seconds: number }[];
  table?: string;
  traffic?: Traffic;
  refusal?: { command: string; answer: string };
  deletion?: { copies: number; requests: number; differences: string[] };
  checks: Check[];
  /** Why it ended early. */
  problem?: string;
}

export interface Traffic {
  requests: number;
  /** At the client's own interface. */
  sent: Packet[];
  /** At the collector. */
  copies: Packet[];
  missing: string[];
  surplus: string[];
}

/** Packets of the first request that are listed; the rest is counted. */
const LISTED = 12;

export function screen(findings: Findings, width: number): string {
  const { table, traffic, refusal, deletion } = findings;
  const blocks = [
    ...(table === undefined ? [] : [block("kubectl get tc", table.trimEnd().split("\n"))]),
    ...(traffic === undefined
      ? []
      : [block("What the client sent, and its copies at the collector", trafficLines(traffic))]),
    ...(refusal === undefined ? [] : [block(refusal.command, wrap(refusal.answer, width - 2))]),
    ...(deletion === undefined ? [] : [block("kubectl delete tc mirror-web-app", deletionLines(deletion))]),
    ...(findings.checks.length === 0 ? [] : [block("Seen", findings.checks.map(mark))]),
    ...(findings.problem === undefined ? [] : [block("It ended early", wrap(findings.problem, width - 2))]),
    timing(findings.steps, width),
  ];
  const lines = blocks.join("\n\n").split("\n");
  return `\n${lines.map((line) => line.slice(0, width)).join("\n")}\n`;
}

function mark({ text, seen }: Check): string {
  return `${seen ? "✓" : "✗"} ${text}`;
}

function block(title: string, lines: string[]): string {
  return [title, ...lines.map((line) => `  ${line}`)].join("\n");
}

function trafficLines({ requests, sent, copies, missing, surplus }: Traffic): string[] {
  const first = conversation(sent);
  const client = first[0]?.inner.source; // It sends the first packet.
  const rows = first.slice(0, LISTED).map((packet) => {
    const copy = copies.find((each) => describe(each) === describe(packet) && each.inner.id === packet.inner.id);
    const direction = packet.inner.source === client ? "sent" : "got ";
    const tunnel = copy?.tunnel;
    return [
      seconds(packet.time - (first[0]?.time ?? 0)),
      `${direction} ${content(packet)}`,
      copy === undefined ? "no copy" : describe(copy),
      tunnel === undefined ? "" : `${tunnel.kind} ${tunnel.vni ?? ""} from ${tunnel.source}`,
    ];
  });
  const aligned = columns([["SECONDS", `CLIENT ${client ?? ""}`, "COLLECTOR: DECODED COPY", "IN"], ...rows]);
  const more = sent.length - rows.length;
  return [
    ...aligned,
    ...(more > 0 ? [`… and ${more} more packets`] : []),
    `${requests} requests: ${sent.length} packets at the client's interface, ${copies.length} copies at the collector, ` +
      `${missing.length} missing, ${surplus.length} too many`,
  ];
}

/** The packets of the first TCP connection. */
function conversation(packets: Packet[]): Packet[] {
  const ports = ({ inner }: Packet): string => [inner.sourcePort ?? 0, inner.destinationPort ?? 0].toSorted().join();
  const [first] = packets;
  return first ? packets.filter((packet) => ports(packet) === ports(first)) : [];
}

function describe(packet: Packet): string {
  const { source, sourcePort, destination, destinationPort } = packet.inner;
  return `${source ?? "?"}:${sourcePort ?? ""} > ${destination ?? "?"}:${destinationPort ?? ""} ${content(packet)}`;
}

function content({ inner }: Packet): string {
  const payload = inner.http ?? (inner.payload ? `${inner.payload} bytes` : "");
  return `${inner.flags ?? inner.protocol} ${payload}`.trimEnd();
}

function deletionLines({ copies, requests, differences }: NonNullable<Findings["deletion"]>): string[] {
  const bridges = differences.length === 0 ? "every bridge is as before" : "the bridges are not as before:";
  return [`${copies} copies of ${requests} further requests; ${bridges}`, ...differences.slice(0, 10)];
}

function timing(steps: Findings["steps"], width: number): string {
  const total = steps.reduce((sum, step) => sum + step.seconds, 0);
  const each = steps.map((step) => `${step.title} ${seconds(step.seconds)}`).join(" · ");
  return [...wrap(each, width), `Together ${total.toFixed(1)} s.`].join("\n");
}

function seconds(value: number): string {
  return value < 1 ? value.toFixed(3) : value.toFixed(1);
}

function columns(rows: string[][]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd(),
  );
}

/** Breaks lines at spaces. */
function wrap(text: string, width: number): string[] {
  return text
    .trim()
    .split("\n")
    .flatMap((line) => {
      const lines = [""];
      for (const word of line.split(" ")) {
        const last = lines[lines.length - 1]!;
        if (last === "") lines[lines.length - 1] = word;
        else if (last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
        else lines.push(word);
      }
      return lines;
    });
}
