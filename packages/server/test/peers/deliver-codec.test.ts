import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { decodeDeliverRequest, encodeDeliverFrame } from "../../src/peers/deliver-codec.ts";
import { protobuf } from "../service-support.ts";

const FILE = fileURLToPath(new URL("../../proto/tidegate/v1/peers.proto", import.meta.url));
const root = new protobuf.Root().loadSync(FILE, { keepCase: true });
const request = root.lookupType("tidegate.v1.DeliverRequest");
const message = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.constantFrom(127, 128, 16_383, 16_384, 70_000).map((size) => new Uint8Array(size).fill(7)),
);

test("a frame is one that the proto file describes, and is read back", () => {
  fc.assert(
    fc.property(message, (given) => {
      const frame = encodeDeliverFrame(given);
      assert.equal(frame[0], 0, "it is not compressed");
      assert.equal(frame.readUInt32BE(1), frame.length - 5);
      const body = frame.subarray(5);
      const seen = request.decode(body) as unknown as { message: Uint8Array };
      assert.deepEqual(Uint8Array.from(seen.message), given);
      assert.deepEqual(Uint8Array.from(decodeDeliverRequest(body)!), given);
    }),
  );
});

test("whatever else comes is read as protobuf says, or refused; nothing is thrown", () => {
  const tables: [bytes: number[], read: number[] | undefined][] = [
    [[], []],
    [[0x0a, 0], []],
    [
      [0x0a, 1, 5, 0x0a, 2, 6, 7],
      [6, 7],
    ],
    // Fields that a later version may have.
    [[0x10, 5, 0x0a, 1, 5], [5]],
    [[0x0a], undefined],
    [[0x0a, 2, 1], undefined],
    [[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], undefined],
    [[0x02, 1], undefined],
    [[0x0c], undefined],
    [[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], undefined],
  ];
  for (const [given, read] of tables) {
    const found = decodeDeliverRequest(Buffer.from(given));
    assert.deepEqual(found && [...found], read, `${given}`);
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (given) => {
      const found = decodeDeliverRequest(Buffer.from(given));
      assert.ok(found === undefined || found.length <= given.length);
    }),
    { numRuns: 2_000 },
  );
});
