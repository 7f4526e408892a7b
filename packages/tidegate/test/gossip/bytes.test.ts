// What messages are written in: whatever is written is read again, and what a stranger writes ends in a refusal.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteReader, ByteWriter, MalformedMessage } from "../../src/gossip/bytes.ts";

const malformed = (work: () => unknown) => assert.throws(work, MalformedMessage);

const field = fc.oneof(
  fc.record({ kind: fc.constant("byte" as const), value: fc.integer({ min: 0, max: 255 }) }),
  fc.record({ kind: fc.constant("number" as const), value: fc.maxSafeNat() }),
  fc.record({
    kind: fc.constant("signed" as const),
    value: fc.integer({ min: -(2 ** 51), max: 2 ** 51 }),
  }),
  fc.record({
    kind: fc.constant("text" as const),
    value: fc.oneof(
      fc.string({ unit: "binary", maxLength: 300 }),
      // Lone halves of surrogate pairs, which no UTF-8 has.
      fc
        .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 40 })
        .map((units) => String.fromCharCode(...units)),
    ),
  }),
);

test("what is written is read again, in its order, and nothing is left", () => {
  fc.assert(
    fc.property(fc.array(field, { maxLength: 60 }), (fields) => {
      const writer = new ByteWriter();
      for (const { kind, value } of fields) {
        if (kind === "text") writer.text(value);
        else writer[kind](value);
      }
      const reader = new ByteReader(writer.written.slice());
      for (const { kind, value } of fields) {
        assert.equal(kind === "text" ? reader.text(1_000) : reader[kind](), value);
      }
      assert.equal(reader.left, 0);
    }),
  );
});

test("numbers take a byte for seven bits, and texts a byte more than they are long", () => {
  const lengthOf = (write: (writer: ByteWriter) => void) => {
    const writer = new ByteWriter();
    write(writer);
    return writer.length;
  };
  assert.equal(
    lengthOf((writer) => writer.number(127)),
    1,
  );
  assert.equal(
    lengthOf((writer) => writer.number(128)),
    2,
  );
  assert.equal(
    lengthOf((writer) => writer.number(Number.MAX_SAFE_INTEGER)),
    8,
  );
  assert.equal(
    lengthOf((writer) => writer.text("user:42")),
    8,
  );
});

test("a number that is no safe integer, or has no end, is refused", () => {
  malformed(() => new ByteReader(new Uint8Array(8).fill(0xff)).number());
  malformed(() => new ByteReader(new Uint8Array(20).fill(0x80)).number());
  malformed(() => new ByteReader(new Uint8Array([0x80])).number());
  const writer = new ByteWriter();
  writer.number(Number.MAX_SAFE_INTEGER);
  assert.equal(new ByteReader(writer.written).number(), Number.MAX_SAFE_INTEGER);
});

test("a count of more than there are bytes for is refused before anything is made of it", () => {
  const writer = new ByteWriter();
  writer.number(1_000_000);
  writer.raw(new Uint8Array(100));
  malformed(() => new ByteReader(writer.written).count(2_000_000, 1));
  malformed(() => new ByteReader(writer.written).count(999_999, 0));
  const few = new ByteWriter();
  few.number(10);
  few.raw(new Uint8Array(100));
  assert.equal(new ByteReader(few.written).count(10, 10), 10);
});

test("a text that is too long, ends too early or is no UTF-8 is refused", () => {
  const write = (text: string) => {
    const writer = new ByteWriter();
    writer.text(text);
    return writer.written;
  };
  assert.equal(new ByteReader(write("é".repeat(64))).text(64), "é".repeat(64));
  malformed(() => new ByteReader(write("é".repeat(65))).text(64));
  malformed(() => new ByteReader(write("a".repeat(65))).text(64));
  malformed(() => new ByteReader(write("\ud800".repeat(65))).text(64));
  malformed(() => new ByteReader(write("abc").subarray(0, 3)).text(64));
  malformed(() => new ByteReader(new Uint8Array([4, 0xff, 0xfe])).text(64));
});
