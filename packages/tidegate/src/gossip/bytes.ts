// Writes and reads messages: bytes, whole numbers of any length, texts. Whatever is read comes from a stranger, so
// nothing is believed: what is not there, too long or too large ends the reading.

/** Says that a message is not what it should be. */
export class MalformedMessage extends Error {
  override readonly name = "MalformedMessage";
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Writes bytes one behind another. */
export class ByteWriter {
  #bytes = new Uint8Array(1_024);
  length = 0;

  /** What was written; valid until the next write. */
  get written(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  /** Begins anew, in the same memory. */
  clear(): void {
    this.length = 0;
  }

  byte(value: number): void {
    if (this.length === this.#bytes.length) this.#grow(1);
    this.#bytes[this.length++] = value;
  }

  /** Writes a whole number from 0 to 2^53 - 1: seven bits a byte, the lowest first. */
  number(value: number): void {
    if (this.length + 8 > this.#bytes.length) this.#grow(8);
    const bytes = this.#bytes;
    let at = this.length;
    let left = value;
    while (left >= 0x80) {
      bytes[at++] = (left % 0x80) + 0x80;
      left = left < 0x8000_0000 ? left >>> 7 : Math.floor(left / 0x80);
    }
    bytes[at++] = left;
    this.length = at;
  }

  /** Writes a whole number that may be below 0. */
  signed(value: number): void {
    this.number(value < 0 ? -2 * value - 1 : 2 * value);
  }

  /** Writes a text, of any code units: what is no proper Unicode goes as it is in memory. */
  text(value: string): void {
    if (!value.isWellFormed()) {
      this.number(2 * value.length + 1);
      for (let index = 0; index < value.length; index += 1) {
        const unit = value.charCodeAt(index);
        this.byte(unit & 0xff);
        this.byte(unit >> 8);
      }
      return;
    }
    const room = 3 * value.length;
    if (this.length + room + 8 > this.#bytes.length) this.#grow(room + 8);
    // Most texts are short and plain: then their length in bytes is known before they are written.
    const encoded = encoder.encodeInto(value, this.#bytes.subarray(this.length + 1));
    if (encoded.written < 64) {
      this.#bytes[this.length] = 2 * encoded.written;
      this.length += 1 + encoded.written;
      return;
    }
    this.number(2 * encoded.written);
    encoder.encodeInto(value, this.#bytes.subarray(this.length));
    this.length += encoded.written;
  }

  /** Writes bytes as they are. */
  raw(bytes: Uint8Array): void {
    if (this.length + bytes.length > this.#bytes.length) this.#grow(bytes.length);
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  #grow(least: number): void {
    const bytes = new Uint8Array(Math.max(2 * this.#bytes.length, this.length + least));
    bytes.set(this.#bytes.subarray(0, this.length));
    this.#bytes = bytes;
  }
}

/** Reads bytes one behind another. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  /** Bytes that are not read yet. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  byte(): number {
    if (this.#at >= this.#bytes.length) throw new MalformedMessage("ends too early");
    return this.#bytes[this.#at++]!;
  }

  number(): number {
    let value = 0;
    let scale = 1;
    for (let length = 1; length <= 8; length += 1) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      scale *= 0x80;
    }
    throw new MalformedMessage("a number is too large");
  }

  signed(): number {
    const value = this.number();
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
  }

  /** Reads a number of things, each of which takes at least so many bytes. */
  count(most: number, bytesEach: number): number {
    const value = this.number();
    if (value > most || value * bytesEach > this.left) throw new MalformedMessage("too many");
    return value;
  }

  /** Reads a text of at most so many units of two bytes. */
  text(most: number): string {
    const size = this.number();
    const isWide = size % 2 === 1;
    const length = Math.floor(size / 2);
    if (length > (isWide ? most : 3 * most) || (isWide ? 2 * length : length) > this.left) {
      throw new MalformedMessage("a text is too long");
    }
    if (!isWide) {
      const text = decode(this.raw(length));
      if (text.length > most) throw new MalformedMessage("a text is too long");
      return text;
    }
    let text = "";
    for (let index = 0; index < length; index += 1) {
      text += String.fromCharCode(this.byte() + (this.byte() << 8));
    }
    return text;
  }

  /** Reads bytes as they are; they are valid as long as the message is. */
  raw(length: number): Uint8Array {
    if (length > this.left) throw new MalformedMessage("ends too early");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new MalformedMessage("a text is no UTF-8");
  }
}
