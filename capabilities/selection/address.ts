/** One spelling per IP address, so that plans are equal if they mean the same and addresses can be compared as text. */
import { isIPv4, isIPv6 } from "node:net";

/**
 * Canonical text of an IPv4 or IPv6 address (RFC 5952: lower case, longest run of zeros compressed); an IPv4-mapped IPv6 address becomes
 * the IPv4 address that it stands for. undefined if it is no address.
 */
export function canonicalAddress(text: string): string | undefined {
  if (isIPv4(text)) return text;
  if (!isIPv6(text) || text.includes("%")) return undefined;
  const groups = groupsOf(text);
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (isMapped) return [groups[6]! >> 8, groups[6]! & 255, groups[7]! >> 8, groups[7]! & 255].join(".");
  return compress(groups);
}

/** The eight 16-bit groups of a valid IPv6 address. */
function groupsOf(text: string): number[] {
  const [head = "", tail] = text.split("::");
  const left = numbersOf(head);
  if (tail === undefined) return left;
  const right = numbersOf(tail);
  return [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right];
}

function numbersOf(part: string): number[] {
  if (part === "") return [];
  return part.split(":").flatMap((group) => {
    if (!group.includes(".")) return [parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split(".").map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}

function compress(groups: number[]): string {
  let start = -1;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let run = 0;
    while (i + run < 8 && groups[i + run] === 0) run++;
    if (run > length) [start, length] = [i, run];
  }
  const hexadecimal = groups.map((group) => group.toString(16));
  if (start === -1) return hexadecimal.join(":");
  return `${hexadecimal.slice(0, start).join(":")}::${hexadecimal.slice(start + length).join(":")}`;
}
