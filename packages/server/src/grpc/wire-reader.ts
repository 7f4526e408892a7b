// Reads the protobuf wire format (protobuf.dev/programming-guides/encoding) off a Buffer: the few kinds that Tidegate's
// requests are made of, and whatever else a newer client may send, which is skipped. It never reads past `end`.

import { isUtf8 } from "node:buffer";

/** What a message's bytes were wrong in; its message is fit to be sent to the caller. */
export class WireError extends Error {}

/** Numbers of the wire types. */
export const WIRE = { varint: 0, fixed64: 1, bytes: 2, startGroup: 3, endGroup: 4, fixed32: 5 };

/** Returns the tag of a field. */
export const tag = (field: number, wireType: number): number => (field << 3) | wireType;

const MAX_GROUP_DEPTH = 64;
const SHORT = 12;

/** A cursor over one message. */
export class WireReader {
  readonly #buffer: Buffer;
  position: number;
  end: number;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
    this.position = 0;
    this.end = buffer.length;
  }

  /**
   * Reads a varint and keeps its low 32 bits, as protobuf does for uint32 and tags.
   * @throws WireError where it is cut off or longer than ten bytes.
   */
  uint32(): number {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#byte();
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw new WireError("the message has a number of more than ten bytes");
  }

  /**
   * Reads an int64. Beyond 2^53 it is as near as a number can be, so that what is out of range is seen to be.
   * @throws WireError as `uint32` does.
   */
  int64(): number {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#byte();
      const bits = byte & 0x7f;
      if (shift < 32) low |= bits << shift;
      if (shift > 32) high |= bits << (shift - 32);
      else if (shift > 25) high |= bits >> (32 - shift);
      if (byte < 0x80) return high * 2 ** 32 + (low >>> 0);
    }
    throw new WireError("the message has a number of more than ten bytes");
  }

  /** Reads the length of what follows, and returns where it ends. */
  lengthDelimitedEnd(): number {
    const end = this.uint32() + this.position;
    if (end > this.end) throw new WireError("the message is cut off");
    return end;
  }

  /**
   * Reads a string. Where its bytes equal those of `expected`, answers that very string without making a new one.
   * @throws WireError where it is not UTF-8: two such keys must not become one.
   */
  string(field: string, expected: string): string {
    const buffer = this.#buffer;
    const end = this.lengthDelimitedEnd();
    const from = this.position;
    this.position = end;
    if (end - from === expected.length && isAsciiEqual(buffer, from, expected)) return expected;
    let index = from;
    while (index < end && buffer[index]! < 0x80) index += 1;
    if (index === end && end - from <= SHORT) return shortAscii(buffer, from, end);
    if (index < end && !isUtf8(buffer.subarray(from, end))) {
      throw new WireError(`${field} must be a string in UTF-8`);
    }
    return buffer.toString("utf8", from, end);
  }

  /** Skips the value of a field that is not known. */
  skip(wireType: number, depth = 0): void {
    if (wireType === WIRE.varint) this.uint32();
    else if (wireType === WIRE.bytes) this.position = this.lengthDelimitedEnd();
    else if (wireType === WIRE.fixed64) this.#advance(8);
    else if (wireType === WIRE.fixed32) this.#advance(4);
    else if (wireType === WIRE.startGroup && depth < MAX_GROUP_DEPTH) {
      for (;;) {
        const tag = this.uint32();
        if ((tag & 7) === WIRE.endGroup) return;
        this.skip(tag & 7, depth + 1);
      }
    } else throw new WireError(`the message has a field of wire type ${wireType}`);
  }

  #byte(): number {
    if (this.position >= this.end) throw new WireError("the message is cut off in a number");
    const byte = this.#buffer[this.position]!;
    this.position += 1;
    return byte;
  }

  #advance(bytes: number): void {
    if (this.position + bytes > this.end) throw new WireError("the message is cut off");
    this.position += bytes;
  }
}

/** Twice as fast, for so few, as a call into the platform (measured: 78 and 165 ns); longer ones would be ropes. */
function shortAscii(buffer: Buffer, from: number, end: number): string {
  let text = "";
  let at = from;
  for (; end - at >= 4; at += 4) {
    text += String.fromCharCode(buffer[at]!, buffer[at + 1]!, buffer[at + 2]!, buffer[at + 3]!);
  }
  for (; at < end; at += 1) text += String.fromCharCode(buffer[at]!);
  return text;
}

function isAsciiEqual(buffer: Buffer, from: number, text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (buffer[from + index] !== code || code >= 0x80) return false;
  }
  return true;
}
