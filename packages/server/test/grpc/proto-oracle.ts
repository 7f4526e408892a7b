// What protobufjs makes of the proto file: it writes requests and reads responses, for the codec to be held against.

import fc from "fast-check";
import { PROTO_FILE, protobuf } from "../service-support.ts";

const root = new protobuf.Root().loadSync(PROTO_FILE, { keepCase: true });
const type = (name: string) => root.lookupType(`tidegate.v1.${name}`);

/** Writes a message. */
export function encode(name: string, message: object): Buffer {
  return Buffer.from(type(name).encode(message).finish());
}

/** Reads a message; fields that have no presence are there with their defaults. */
export function decode(name: string, bytes: Uint8Array): Record<string, unknown> {
  return type(name).toObject(type(name).decode(bytes), { longs: Number, defaults: true });
}

/** Tells whether bytes are a message. */
export function isMessage(name: string, bytes: Uint8Array): boolean {
  return readLoosely(name, bytes) !== undefined;
}

/**
 * Reads a message that is written as protobufjs would write it, what is absent left out; undefined is any other.
 * protobufjs takes for a message what is none: bytes that are not UTF-8, strings cut off, fields of another wire type.
 */
export function decodeCanonical(name: string, bytes: Buffer): Record<string, unknown> | undefined {
  const message = readLoosely(name, bytes);
  return message !== undefined && encode(name, message).equals(bytes) ? message : undefined;
}

function readLoosely(name: string, bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    return type(name).toObject(type(name).decode(bytes), { longs: Number });
  } catch {
    return undefined;
  }
}

/** Any text, most of it of few bytes, some of several bytes a character. */
export function text(maxLength: number): fc.Arbitrary<string> {
  return fc.oneof(
    fc.string({ maxLength, unit: "binary" }),
    fc.string({ maxLength, unit: "grapheme-ascii" }),
  );
}
