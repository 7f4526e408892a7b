// The layout of messages: every field is read as it was written; what does not fit waits; what is wrong is refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteWriter, MalformedMessage } from "../../src/gossip/bytes.ts";
import { CountedKey } from "../../src/gossip/counted-key.ts";
import { MAX_TOLD_UNITS, MAX_VERSION, MessageWriter } from "../../src/gossip/message.ts";
import { isMessage, readMessage, versionOf } from "../../src/gossip/read-message.ts";
import { headerOf, messageOf, originOf, readWhole, say, sayAgain } from "./messages.ts";

const one = "0000000000000001";
const two = "ffffffffffffffff";

test("a header and a digest are read as they were written", () => {
  const header = headerOf({ kind: "ack", askedBy: "10.0.0.7:9000", mark: 2 ** 45, echo: 77 });
  const writer = new MessageWriter(new ByteWriter(), header, 5_000_000, 1_024);
  const origin = originOf(two);
  origin.version = MAX_VERSION;
  origin.asOf = 3_498_499;
  const never = originOf(one);
  never.asOf = Number.NEGATIVE_INFINITY;
  writer.digest([origin, never]);
  writer.end(true);
  const read = readWhole(writer.bytes);
  assert.deepEqual(read.header, header);
  assert.equal(read.isMore, true);
  assert.deepEqual(read.digest, [
    { instance: two, version: MAX_VERSION, ageUs: 1_502_000 },
    { instance: one, version: 1, ageUs: 4_000_000_000_000_000 },
  ]);
});

test("registers are read as they were written, named for those who do not know them alone", () => {
  const origin = originOf(one, "a:1", "us");
  const now = 10_000_000;
  const windows = [
    { startedAt: now - 3_000_000, present: 7, before: 1_000_000_000 },
    { startedAt: now - 61_000_000, present: 0, before: 0 },
  ];
  const levels = new Uint8Array([0, 100, 255]);
  const plain = say(origin, { policy: "api", name: "k" }, { units: -3, demand: 9 }, 9_000_000);
  const long = say(
    origin,
    { policy: "other", name: "\ud800é" },
    { units: 12, resets: 2, levels, windows },
    now,
  );
  say(origin, { policy: "api", name: "k2" }, { units: 1 });
  const [block] = readWhole(messageOf([[origin, 0]], now)).blocks;
  assert.deepEqual(block!.head, {
    instance: one,
    hasLeft: false,
    address: "a:1",
    region: "us",
    from: 0,
  });
  assert.deepEqual(block!.end, { to: 4, isAll: true, ageUs: now });
  assert.deepEqual(block!.registers[0], {
    version: 2,
    id: 1,
    limits: 1,
    name: { policy: "api", key: "k", base: 0, ageUs: 1_000_000 },
    units: -3,
    demand: 9,
    levels: new Uint8Array(1),
    resets: 0,
    windows: [],
  });
  const { name, version, resets, windows: read, levels: readLevels } = block!.registers[1]!;
  assert.deepEqual(name, { policy: "other", key: "\ud800é", base: 0, ageUs: 0 });
  assert.deepEqual([version, resets, [...readLevels]], [3, 2, [0, 100, 255]]);
  assert.deepEqual(read, [
    { ageUs: 3_000_000, present: 7, before: 1_000_000_000 },
    { ageUs: 61_000_000, present: 0, before: 0 },
  ]);
  assert.equal(
    block!.registers[2]!.name?.policy,
    "api",
    "a policy is named once and then by number",
  );
  sayAgain(plain, { units: 5 });
  const [later] = readWhole(messageOf([[origin, 4]], now)).blocks;
  assert.deepEqual(
    later!.registers.map(({ id, units, name: again }) => [id, units, again]),
    [[plain.id, 5, undefined]],
  );
  long.namedAt = origin.version + 1;
  long.base = 12;
  sayAgain(long, { units: 20 });
  const [anew] = readWhole(messageOf([[origin, 5]], now)).blocks;
  assert.deepEqual(anew!.registers[0]!.name, {
    policy: "other",
    key: "\ud800é",
    base: 12,
    ageUs: now,
  });
});

test("a message of several origins is read as one, and each block stands for itself", () => {
  const origins = [one, two, "1234567890abcdef"].map((instance) => originOf(instance));
  origins[1]!.hasLeft = true;
  for (const origin of origins) say(origin, { policy: "api", name: origin.instance }, { units: 1 });
  const { blocks } = readWhole(messageOf(origins.map((origin) => [origin, 0] as const)));
  assert.deepEqual(
    blocks.map(({ head, registers }) => [head.instance, head.hasLeft, registers[0]!.name!.key]),
    origins.map(({ instance, hasLeft }) => [instance, hasLeft, instance]),
  );
});

test("what does not fit waits, and is told from where the message ended", () => {
  const origin = originOf(one);
  for (let key = 0; key < 500; key += 1) {
    say(origin, { policy: "api", name: `key-${key}` }, { units: key });
  }
  const seen: number[] = [];
  let messages = 0;
  for (let from = 0; from < origin.version; messages += 1) {
    const writer = new MessageWriter(new ByteWriter(), headerOf(), 0, 1_024);
    writer.digest(Array.from({ length: 100 }, () => origin));
    const before = writer.bytes.length;
    const isAll = writer.block(origin, from, () => true);
    writer.end(false);
    assert.ok(writer.bytes.length - before < 1_024 + 100, "the digest takes nothing from the rest");
    const [block] = readWhole(writer.bytes).blocks;
    assert.equal(block!.end!.isAll, isAll);
    assert.ok(block!.end!.to > from, "each message goes on");
    seen.push(...block!.registers.map(({ units }) => units));
    from = block!.end!.to;
  }
  assert.ok(messages > 5);
  assert.deepEqual(
    seen,
    Array.from({ length: 500 }, (_, key) => key),
  );
});

test("more units than can be told are told as many as can be", () => {
  const origin = originOf(one);
  const windows = [{ startedAt: 0, present: 2 ** 60, before: -5 }];
  say(origin, { policy: "api", name: "k" }, { units: -(2 ** 60), windows });
  const [register] = readWhole(messageOf([[origin, 0]])).blocks[0]!.registers;
  assert.equal(register!.units, -MAX_TOLD_UNITS);
  assert.deepEqual(register!.windows, [{ ageUs: 0, present: MAX_TOLD_UNITS, before: 0 }]);
});

test("versions, addresses, regions and names that no node has are refused", () => {
  const refused = (make: () => Uint8Array) => {
    assert.throws(() => readWhole(make()), MalformedMessage);
  };
  const named = (policy: string, name: string) => () => {
    const origin = originOf(one);
    say(origin, { policy, name });
    return messageOf([[origin, 0]]);
  };
  readWhole(named("p".repeat(64), "k".repeat(1_024))());
  refused(named("p".repeat(65), "k"));
  refused(named("api", "k".repeat(1_025)));
  refused(() => messageOf([[originOf(one, "a".repeat(513)), 0]]));
  refused(() => messageOf([[originOf(one, "a", "r".repeat(65)), 0]]));
  refused(() => messageOf([], 0, headerOf({ to: "a".repeat(513) })));
  refused(() => {
    const origin = originOf(one);
    origin.version = 2 * MAX_VERSION + 1;
    return messageOf([[origin, 0]]);
  });
  refused(() => {
    const origin = originOf(one);
    origin.version = 2 * MAX_VERSION;
    say(origin, { policy: "api", name: "k" });
    return messageOf([[origin, 1]]);
  });
});

test("another version, another kind, and bytes behind the end are refused", () => {
  const message = messageOf([]);
  assert.equal(isMessage(message), true);
  assert.equal(versionOf(message), 1);
  assert.equal(isMessage(new Uint8Array(4)), false);
  assert.equal(isMessage(new TextEncoder().encode("TH....")), false);
  const changed = (at: number, to: number) => {
    const bytes = message.slice();
    bytes[at] = to;
    return () => readWhole(bytes);
  };
  assert.throws(changed(2, 2), /another version/);
  assert.throws(changed(3, 3), /unknown kind/);
  assert.throws(changed(message.length - 1, 3), /no end/);
  assert.throws(() => readWhole(new Uint8Array([...message, 0])), /goes on behind its end/);
});

test("a message that is cut off anywhere is refused", () => {
  const origin = originOf(one);
  const windows = [{ startedAt: 0, present: 1, before: 2 }];
  say(origin, { policy: "api", name: "key" }, { units: 300, windows });
  const message = messageOf([[origin, 0]]);
  for (let length = 0; length < message.length; length += 1) {
    assert.throws(() => readWhole(message.subarray(0, length)), MalformedMessage, `${length}`);
  }
});

test("whatever registers hold is read as it was written", () => {
  const register = fc.record({
    policy: fc.constantFrom("api", "login", "x"),
    name: fc.string({ unit: "binary", minLength: 1, maxLength: 40 }),
    units: fc.integer({ min: -MAX_TOLD_UNITS, max: MAX_TOLD_UNITS }),
    demand: fc.integer({ min: 0, max: 255 }),
    resets: fc.nat(5),
    levels: fc.uint8Array({ minLength: 1, maxLength: 8 }),
    windows: fc.array(
      fc.record({ startedAt: fc.nat(10 ** 9), present: fc.nat(), before: fc.nat() }),
      { maxLength: 8 },
    ),
  });
  fc.assert(
    fc.property(fc.array(register, { maxLength: 20 }), fc.nat(20), (registers, from) => {
      const origin = originOf(one);
      for (const { policy, name, ...rest } of registers) {
        say(origin, new CountedKey(policy, name), rest);
      }
      const { blocks } = readWhole(messageOf([[origin, Math.min(from, origin.version)]], 10 ** 9));
      const read = blocks[0]!.registers.map(({ name, units, demand, resets, levels, windows }) => {
        return [name!.policy, name!.key, units, demand, resets, [...levels], windows];
      });
      const written = registers.slice(Math.max(from - 1, 0)).map((sent) => {
        const { policy, name, units, demand, resets, levels, windows } = sent;
        const told = windows.map(({ startedAt, present, before }) => {
          return { ageUs: Math.ceil((10 ** 9 - startedAt) / 1_000) * 1_000, present, before };
        });
        return [policy, name, units, demand, resets, [...levels], told];
      });
      assert.deepEqual(read, written);
    }),
  );
});

test("a sink that has no use for a block is told of none of its registers", () => {
  const origins = [originOf(one), originOf(two)];
  for (const origin of origins) say(origin, { policy: "api", name: "k" }, { units: 5 });
  const ends: number[] = [];
  let registers = 0;
  readMessage(messageOf(origins.map((origin) => [origin, 0] as const)), {
    head() {},
    digest() {},
    begin: ({ instance }) => instance === two,
    register: ({ name }) => {
      registers += 1;
      assert.equal(name?.policy, "api", "a number stands for a name that was in the other block");
    },
    end: ({ to }) => void ends.push(to),
    done() {},
  });
  assert.equal(registers, 1);
  assert.deepEqual(ends, [2, 2]);
});
