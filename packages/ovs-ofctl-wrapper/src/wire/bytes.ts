/** A buffer that grows while a message is written, in network byte order. Used by the encoders. */

export class Bytes {
  private buffer = Buffer.alloc(512);
  /** Bytes written so far. */
  length = 0;

  /** `size` bytes of an unsigned number, 1 to 6. */
  uint(value: number, size: number): this {
    this.grow(size);
    this.length = this.buffer.writeUIntBE(value, this.length, size);
    return this;
  }

  /** `size` bytes of an unsigned number of any size. */
  big(value: bigint, size: number): this {
    if (size <= 6) return this.uint(Number(value), size);
    this.grow(size);
    for (let at = size - 8; at >= 0; at -= 8)
      this.buffer.writeBigUInt64BE((value >> BigInt(8 * (size - 8 - at))) & 0xffffffffffffffffn, this.length + at);
    this.length += size;
    return this;
  }

  raw(bytes: Buffer): this {
    this.grow(bytes.length);
    this.length += bytes.copy(this.buffer, this.length);
    return this;
  }

  zeros(count: number): this {
    this.grow(count);
    this.buffer.fill(0, this.length, this.length + count);
    this.length += count;
    return this;
  }

  /** Zeros up to a multiple of 8 bytes, counted from `start`. */
  pad(start: number): this {
    return this.zeros((8 - ((this.length - start) % 8)) % 8);
  }

  /** Writes the length since `start` as 16 bits at `at`. */
  setLength(at: number, start: number): void {
    this.buffer.writeUInt16BE(this.length - start, at);
  }

  /** A copy of everything written; what follows starts anew. */
  take(): Buffer {
    const written = Buffer.from(this.buffer.subarray(0, this.length));
    this.length = 0;
    return written;
  }

  private grow(by: number): void {
    if (this.length + by <= this.buffer.length) return;
    this.buffer = Buffer.concat([this.buffer, Buffer.alloc(this.buffer.length + by)]);
  }
}
