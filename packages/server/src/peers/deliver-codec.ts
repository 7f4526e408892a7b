// The request of tidegate.v1.Peers/Deliver on the wire: one field of bytes. What is read comes from strangers.

import { tag, WIRE, WireError, WireReader } from "../grpc/wire-reader.ts";

/** Path of the method. */
export const DELIVER_PATH = "/tidegate.v1.Peers/Deliver";

/** By how many bytes a request is longer than its message, at most. */
export const REQUEST_OVERHEAD = 16;

/** Of gRPC: one byte that says that nothing is compressed, and four of the length. */
const FRAME_PREFIX = 5;
const MESSAGE_TAG = tag(1, WIRE.bytes);

/** Writes a request as gRPC frames it on a stream. */
export function encodeDeliverFrame(message: Uint8Array): Buffer {
  const head: number[] = [MESSAGE_TAG];
  let rest = message.length;
  for (; rest >= 0x80; rest >>>= 7) head.push((rest & 0x7f) | 0x80);
  head.push(rest);
  const frame = Buffer.allocUnsafe(FRAME_PREFIX + head.length + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(head.length + message.length, 1);
  frame.set(head, FRAME_PREFIX);
  frame.set(message, FRAME_PREFIX + head.length);
  return frame;
}

/** Reads a request; undefined where it is none. A field that is written twice has its last value, as protobuf says. */
export function decodeDeliverRequest(bytes: Buffer): Uint8Array | undefined {
  try {
    const reader = new WireReader(bytes);
    let message: Uint8Array = new Uint8Array(0);
    while (reader.position < reader.end) {
      const fieldTag = reader.uint32();
      if (fieldTag === MESSAGE_TAG) {
        const end = reader.lengthDelimitedEnd();
        message = bytes.subarray(reader.position, end);
        reader.position = end;
      } else if (fieldTag >>> 3 === 0) {
        return undefined;
      } else {
        reader.skip(fieldTag & 7);
      }
    }
    return message;
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}
