/** Numbers and port names in any spelling. Called by whoever reads matches and actions. */

const RESERVED_PORTS = new Map([
  [0xfff8n, "IN_PORT"],
  [0xfff9n, "TABLE"],
  [0xfffan, "NORMAL"],
  [0xfffbn, "FLOOD"],
  [0xfffcn, "ALL"],
  [0xfffdn, "CONTROLLER"],
  [0xfffen, "LOCAL"],
]);

/** A number in any spelling, MAC addresses included; null for anything else (IP addresses, names). */
export function toNumber(text: string): bigint | null {
  if (/^(0x[0-9a-f]+|\d+)$/i.test(text)) return BigInt(text);
  if (/^[0-9a-f]{1,2}(:[0-9a-f]{1,2}){5}$/i.test(text))
    return BigInt(
      `0x${text
        .split(":")
        .map((octet) => octet.padStart(2, "0"))
        .join("")}`,
    );
  return null;
}

/** The port as Open vSwitch prints it: a number, or the name of a reserved port in capitals. */
export function portName(text: string): string {
  const number = toNumber(text);
  if (number === null) return text.toUpperCase();
  return RESERVED_PORTS.get(number & 0xffffn) ?? String(number);
}

export function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
