// Writes the protobuf wire format into one growing Buffer that is used again for every message, so that a decision
// costs no allocation of its own. 64-bit numbers are written from JavaScript numbers: whole, from 0 to 2^53 - 1.

const FIRST_SIZE = 16_384;
const LARGEST_KEPT = 1_048_576;
const NATIVE_ABOVE = 24;

/** A writer of one message at a time: `begin`, the fields, `finish`. Fields that hold their default are left out. */
export class WireWriter {
  #buffer = Buffer.allocUnsafeSlow(FIRST_SIZE);
  #position = 0;

  /** Starts a message; what was written before is gone. */
  begin(): void {
    this.#position = 0;
  }

  /** Returns the message, in bytes of its own. */
  finish(): Buffer {
    const message = Buffer.allocUnsafe(this.#position);
    this.#buffer.copy(message, 0, 0, this.#position);
    if (this.#buffer.length > LARGEST_KEPT) this.#buffer = Buffer.allocUnsafeSlow(FIRST_SIZE);
    return message;
  }

  /** Makes room for `bytes` more; to be called before fields that together take at most so many. */
  reserve(bytes: number): void {
    const needed = this.#position + bytes;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#position);
    this.#buffer = grown;
  }

  /** Writes a bool field. `tag` is one byte, as all tags here: field number << 3 | wire type. */
  bool(tag: number, value: boolean): void {
    if (!value) return;
    this.#byte(tag);
    this.#byte(1);
  }

  /** Writes an int64 field, left out where 0. */
  int64(tag: number, value: number): void {
    if (value !== 0) this.presentInt64(tag, value);
  }

  /** Writes an int64 field that has presence, so 0 too. */
  presentInt64(tag: number, value: number): void {
    this.#byte(tag);
    this.#varint(value);
  }

  /** Writes a string field, left out where empty. At most 3 bytes for each of its UTF-16 code units, and 6 more. */
  string(tag: number, text: string): void {
    const length = text.length;
    if (length === 0) return;
    this.#byte(tag);
    if (length <= NATIVE_ABOVE && this.#shortAscii(text)) return;
    const bytes = Buffer.byteLength(text);
    this.#varint(bytes);
    this.#buffer.write(text, this.#position, "utf8");
    this.#position += bytes;
  }

  /** Starts a message field, whose length is not known yet; returns what `endMessage` wants. */
  startMessage(tag: number): number {
    this.#byte(tag);
    this.#byte(0);
    return this.#position;
  }

  /** Ends a message field. Room for 4 bytes must be left. */
  endMessage(start: number): void {
    const length = this.#position - start;
    if (length < 0x80) {
      this.#buffer[start - 1] = length;
      return;
    }
    const extra = length < 0x4000 ? 1 : length < 0x20_0000 ? 2 : 3;
    this.#buffer.copyWithin(start + extra, start, this.#position);
    this.#position = start - 1;
    this.#varint(length);
    this.#position += length;
  }

  #shortAscii(text: string): boolean {
    const buffer = this.#buffer;
    const start = this.#position;
    for (let index = 0; index < text.length; index += 1) {
      const code = text.charCodeAt(index);
      if (code >= 0x80) return false;
      buffer[start + 1 + index] = code;
    }
    buffer[start] = text.length;
    this.#position = start + 1 + text.length;
    return true;
  }

  #byte(value: number): void {
    this.#buffer[this.#position] = value;
    this.#position += 1;
  }

  #varint(value: number): void {
    const buffer = this.#buffer;
    let rest = value;
    while (rest >= 0x8000_0000) {
      buffer[this.#position] = (rest % 128) | 0x80;
      this.#position += 1;
      rest = Math.floor(rest / 128);
    }
    let low = rest | 0;
    while (low >= 0x80) {
      buffer[this.#position] = (low & 0x7f) | 0x80;
      this.#position += 1;
      low >>>= 7;
    }
    buffer[this.#position] = low;
    this.#position += 1;
  }
}
