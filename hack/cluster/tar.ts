/** Writes tar archives (ustar), just enough for image layers and image archives. Reproducible: no times, no owners. */

export interface TarEntry {
  /** At most 99 characters, without a leading slash. */
  name: string;
  mode?: number;
  content?: Buffer | string;
  /** Makes it a symbolic link. */
  link?: string;
  directory?: boolean;
}

const BLOCK = 512;

export function tar(entries: TarEntry[]): Buffer {
  const parts = entries.flatMap((entry) => {
    const content = Buffer.from(entry.content ?? "");
    return [header(entry, content.length), content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

function header({ name, mode, link, directory }: TarEntry, size: number): Buffer {
  if (name.length > 99) throw new Error(`The name ${name} is too long for a tar archive of this kind`);
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, offset: number, length: number): void => {
    block.write(value.toString(8).padStart(length - 1, "0"), offset, "ascii");
  };
  block.write(name, 0);
  octal(mode ?? (directory ? 0o755 : 0o644), 100, 8);
  octal(0, 108, 8); // owner
  octal(0, 116, 8); // group
  octal(size, 124, 12);
  octal(0, 136, 12); // time
  block.write("        ", 148); // the checksum is computed over blanks
  block.write(link === undefined ? (directory ? "5" : "0") : "2", 156);
  block.write(link ?? "", 157);
  block.write("ustar\u000000", 257);
  const checksum = block.reduce((sum, byte) => sum + byte, 0);
  block.write(`${checksum.toString(8).padStart(6, "0")}\u0000 `, 148);
  return block;
}
