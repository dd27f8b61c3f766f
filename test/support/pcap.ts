/**
 * Reads the packet file that tcpdump is still writing: how many packets so far, and when the kernel saw each. Used by
 * capture.ts; what is inside a packet is the business of decode.ts.
 */

/** When the kernel saw a packet (seconds since the epoch), and its bytes. */
export interface PacketRecord {
  time: number;
  bytes: Buffer;
}

const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;

/** The complete records of a pcap file; one that is still being written at its end is left for the next look. */
export function pcapRecords(file: Buffer): PacketRecord[] {
  if (file.length < FILE_HEADER_BYTES) return [];
  const magic = file.readUInt32LE(0);
  if (magic !== MAGIC_MICROSECONDS && magic !== MAGIC_NANOSECONDS) {
    throw new Error(`Not a little-endian pcap file: it starts with 0x${magic.toString(16)}.`);
  }
  const fraction = magic === MAGIC_NANOSECONDS ? 1e9 : 1e6;
  const records: PacketRecord[] = [];
  for (let at = FILE_HEADER_BYTES; at + RECORD_HEADER_BYTES <= file.length; ) {
    const captured = file.readUInt32LE(at + 8);
    const start = at + RECORD_HEADER_BYTES;
    if (start + captured > file.length) break;
    records.push({
      time: file.readUInt32LE(at) + file.readUInt32LE(at + 4) / fraction,
      bytes: file.subarray(start, start + captured),
    });
    at = start + captured;
  }
  return records;
}
