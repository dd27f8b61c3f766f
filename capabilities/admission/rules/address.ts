/** remoteIP: which addresses a node can send a tunnel to, and what to write instead of the others. */
import { BlockList, isIPv4, isIPv6 } from "node:net";
import { MESSAGES } from "./messages";

const NOT_UNICAST: readonly [what: string, network: string, prefix: number][] = [
  ["the unspecified address", "0.0.0.0", 32],
  ["the unspecified address", "::", 128],
  ["a loopback address of the node itself", "127.0.0.0", 8],
  ["a loopback address of the node itself", "::1", 128],
  ["a link-local address", "169.254.0.0", 16],
  ["a link-local address", "fe80::", 10],
  ["a multicast address", "224.0.0.0", 4],
  ["a multicast address", "ff00::", 8],
  ["the broadcast address", "255.255.255.255", 32],
];
const refused = NOT_UNICAST.map(([what, network, prefix]) => ({ what, list: block(network, prefix) }));
const mapped = block("::ffff:0:0", 96);

/** What is wrong with a remoteIP; undefined if nothing. Judges as CEL's isIP() and isGlobalUnicast() do. */
export function checkAddress(value: string): { message: string; hint?: string } | undefined {
  const hint = isAddress(value) ? notUnicast(value) : notAddress(value);
  if (isAddress(value) && hint === undefined) return undefined;
  return { message: MESSAGES.remoteIP, hint };
}

/** One spelling per address, so that two can be compared; undefined if it is none. */
export function canonicalAddress(value: string): string | undefined {
  if (isIPv4(value)) return value;
  // The URL parser writes IPv6 addresses as RFC 5952 says.
  return isAddress(value) ? new URL(`http://[${value}]`).hostname.slice(1, -1) : undefined;
}

/** Like Go's netip, which CEL uses: no zone, no IPv4-mapped IPv6 address. */
function isAddress(value: string): boolean {
  return isIPv4(value) || (isIPv6(value) && !value.includes("%") && !mapped.check(value, "ipv6"));
}

function notUnicast(value: string): string | undefined {
  const family = isIPv4(value) ? "ipv4" : "ipv6";
  const found = refused.find(({ list }) => list.check(value, family));
  return found && `${value} is ${found.what}`;
}

/** What was probably meant by something that is not an address. */
function notAddress(value: string): string | undefined {
  const trimmed = value.trim();
  if (trimmed !== value && isAddress(trimmed)) return `without the spaces: ${trimmed}`;
  const [beforePrefix] = trimmed.split("/");
  if (beforePrefix !== trimmed && isAddress(beforePrefix!)) return `without the prefix length: ${beforePrefix!}`;
  const [beforeZone] = trimmed.split("%");
  if (beforeZone !== trimmed && isIPv6(beforeZone!)) return "an address with a zone is not the same on every node";
  const withPort = /^\[?([^\]]*)\]?:(\d+)$/.exec(trimmed);
  if (withPort && isAddress(withPort[1]!) && !trimmed.startsWith(withPort[1]! + "::"))
    return `remoteIP: ${withPort[1]!} and, where the kind has it, destinationPort: ${withPort[2]!}`;
  const bracketed = /^\[(.*)\]$/.exec(trimmed);
  if (bracketed && isAddress(bracketed[1]!)) return `without the brackets: ${bracketed[1]!}`;
  if (isIPv6(trimmed) && mapped.check(trimmed, "ipv6")) return "write the IPv4 address itself, not its IPv6 form";
  if (/^\d+(\.\d+){3}$/.test(trimmed)) return "each of the four numbers is from 0 to 255, without leading zeros";
  if (/,|\s/.test(trimmed)) return "one address only: make another TrafficControl for another collector";
  if (/[g-z]/i.test(trimmed)) return "a host name is not resolved: write its address";
  return undefined;
}

function block(network: string, prefix: number): BlockList {
  const list = new BlockList();
  list.addSubnet(network, prefix, isIPv4(network) ? "ipv4" : "ipv6");
  return list;
}
