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

/** Puts gRPC's five bytes before a message: not compressed, and its length. */
export function framed(message: Buffer): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}
