// The requests of tidegate.v1.RateLimiter, encoded by hand before the measuring starts.

/** Encodes a CheckLimitRequest without a cost. Policy and key must be shorter than 128 bytes. */
export function encodeCheck(policy: string, key: string): Buffer {
  const field = (tag: number, value: string) =>
    Buffer.concat([Buffer.from([tag, Buffer.byteLength(value)]), Buffer.from(value)]);
  return Buffer.concat([field(0x0a, policy), field(0x12, key)]);
}

/** Encodes a CheckLimitsRequest. */
export function encodeBatch(policy: string, keys: readonly string[]): Buffer {
  return Buffer.concat(
    keys.flatMap((key) => {
      const check = encodeCheck(policy, key);
      return [Buffer.from([0x0a, check.length]), check];
    }),
  );
}

/** Reads of a CheckLimitsResponse which requests were admitted, into `admitted` from its place `from` on. */
export function readAdmitted(message: Buffer, admitted: Uint8Array, from: number): number {
  let place = from;
  for (let at = 0; at < message.length; place += 1) {
    if (message[at] !== 0x0a) throw new Error("an answer is no list of decisions");
    let length = 0;
    let shift = 0;
    do {
      at += 1;
      length += (message[at]! & 0x7f) << shift;
      shift += 7;
    } while (message[at]! >= 0x80);
    at += 1;
    // The first field says whether it was admitted, and is left out where it was not.
    admitted[place] = message[at] === 0x08 && message[at + 1] === 1 ? 1 : 0;
    at += length;
  }
  return place - from;
}

/** Puts gRPC's five bytes before a message: not compressed, and its length. */
export function framed(message: Buffer): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}
