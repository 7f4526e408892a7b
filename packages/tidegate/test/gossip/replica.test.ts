// What nodes know of what all said: versions, logs, what was forgotten, and properties: order, repetition, loss and
// delay of messages change nothing, and nothing is counted twice.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter } from "../../src/gossip/bytes.ts";
import { CountedKeys } from "../../src/gossip/keys.ts";
import { MessageWriter } from "../../src/gossip/message.ts";
import type { Origin } from "../../src/gossip/origin.ts";
import { type Before, Replica } from "../../src/gossip/replica.ts";
import { headerOf, messageOf, originOf, readWhole, say, sayAgain } from "./messages.ts";
import { readInto } from "./read-into.ts";

const A = "000000000000000a";
const B = "000000000000000b";

interface Learned {
  readonly key: string;
  readonly units: number;
  readonly before: Before;
}

/** A replica, and what it learned. */
function createReplica(maxKeys?: number) {
  const learned: Learned[] = [];
  const keys = new CountedKeys(maxKeys);
  const replica = new Replica(originOf(B), keys, ({ key, units }, before) => {
    learned.push({ key: key.name, units, before: { ...before } });
  });
  const take = (message: Uint8Array, now = 0, writtenAt = now) => {
    readInto(replica, message, now, writtenAt);
  };
  return { replica, keys, learned, take, known: () => replica.find(A)! };
}

const told = (origin: Origin, from: number) => {
  const ids: number[] = [];
  const to = origin.after(from, ({ id }) => ids.push(id) > 0);
  return { ids, to };
};

test("a log hands out where registers were named and written last after a version, in order", () => {
  const origin = originOf(A);
  const registers = ["a", "b", "c"].map((name) => say(origin, { policy: "api", name }));
  assert.deepEqual(told(origin, 0), { ids: [1, 2, 3], to: 4 });
  sayAgain(registers[0]!, { units: 2 });
  assert.deepEqual(told(origin, 0), { ids: [1, 2, 3, 1], to: 5 });
  assert.deepEqual(told(origin, 3), { ids: [3, 1], to: 5 });
  assert.deepEqual(told(origin, 5), { ids: [], to: 5 });
  assert.equal(
    origin.after(0, ({ id }) => id !== 3),
    3,
    "up to the last that was taken",
  );
  origin.drop(registers[2]!);
  assert.deepEqual(told(origin, 0), { ids: [1, 2, 1], to: 5 });
});

test("what is written again after a message was cut off before it is told with its name", () => {
  const origin = originOf(A);
  const { learned, take, known } = createReplica();
  const registers = ["a", "b"].map((name) => say(origin, { policy: "api", name }));
  sayAgain(registers[0]!, { units: 7 });
  // Each message has room for one register.
  let messages = 0;
  for (; (known()?.version ?? 0) < origin.version; messages += 1) {
    assert.ok(messages < 20);
    take(messageOf([[origin, known()?.version ?? 0]], 0, undefined, 45));
  }
  assert.ok(messages >= 3, `${messages}`);
  assert.deepEqual(
    new Map(learned.map(({ key, units }) => [key, units])),
    new Map([
      ["a", 7],
      ["b", registers[1]!.units],
    ]),
  );
  assert.equal(known().rewoundAt, Number.NEGATIVE_INFINITY, "and nothing is told anew");
});

test("a log of many writings is no longer than twice as long as there are registers", () => {
  const origin = originOf(A);
  const registers = ["a", "b"].map((name) => say(origin, { policy: "api", name }));
  for (let time = 0; time < 10_000; time += 1) sayAgain(registers[time % 2]!, { units: time });
  let steps = 0;
  origin.after(0, () => {
    steps += 1;
    return true;
  });
  assert.equal(steps, 4);
  assert.deepEqual(told(origin, origin.version - 1).ids, [2]);
});

test("a register is learned once, and told of by what it was before", () => {
  const origin = originOf(A);
  const { learned, take, known } = createReplica();
  const message = messageOf([[origin, 0]]);
  take(message);
  const register = say(origin, { policy: "api", name: "k" }, { units: 5 });
  const first = messageOf([[origin, 1]]);
  take(first);
  take(first);
  sayAgain(register, { units: 7 });
  const second = messageOf([[origin, 2]]);
  sayAgain(register, { units: 11 });
  take(messageOf([[origin, 1]]));
  take(second);
  take(first);
  assert.deepEqual(
    learned.map(({ units, before }) => [before.units, units, before.isStrange]),
    [
      [0, 5, false],
      [5, 11, false],
    ],
  );
  assert.equal(known().version, 4);
});

test("what comes before what is missing is of no use until that has come", () => {
  const origin = originOf(A);
  const { learned, take, known } = createReplica();
  say(origin, { policy: "api", name: "a" });
  say(origin, { policy: "api", name: "b" });
  take(messageOf([[origin, 2]]));
  assert.deepEqual([learned.length, known()], [0, undefined]);
  take(messageOf([[origin, 0]]));
  assert.deepEqual([learned.length, known().version], [2, 3]);
});

test("of who was met just now the sums say nothing; once all is known they do", () => {
  const origin = originOf(A);
  const { learned, take } = createReplica();
  say(origin, { policy: "api", name: "old" }, { units: 1_000 });
  take(messageOf([[origin, 0]]));
  say(origin, { policy: "api", name: "new" }, { units: 3 });
  take(messageOf([[origin, 2]]));
  assert.deepEqual(
    learned.map(({ key, before }) => [key, before.isStrange]),
    [
      ["old", true],
      ["new", false],
    ],
  );
});

test("an update of what was forgotten here has all told again, and not again and again", () => {
  const origin = originOf(A);
  const { replica, learned, take, known, keys } = createReplica();
  const register = say(origin, { policy: "api", name: "k" }, { units: 5 });
  say(origin, { policy: "api", name: "other" }, { units: 1 });
  take(messageOf([[origin, 0]]));
  const key = keys.find("api", "k")!;
  known().drop(key.registers.pop() as typeof register);
  sayAgain(register, { units: 8 });
  take(messageOf([[origin, 3]]));
  assert.equal(known().version, 0, "it asks for all");
  take(messageOf([[origin, 0]]));
  assert.equal(known().version, 4);
  const [named, written] = learned.filter(({ key }) => key === "k").slice(-2);
  assert.deepEqual([named!.units, named!.before.isStrange], [8, true]);
  assert.deepEqual([written!.units, written!.before.units], [8, 8], "and nothing is counted twice");
  known().drop(key.registers.pop() as typeof register);
  sayAgain(register, { units: 9 });
  take(messageOf([[origin, 4]]), 5_000_000);
  assert.equal(known().version, 5, "that did not help a moment ago");
  sayAgain(register, { units: 10 });
  take(messageOf([[origin, 5]]), 20_000_000);
  assert.equal(known().version, 0);
  assert.equal([...replica.origins()].length, 2);
});

test("while all is told again, what one says who knows less than was known here changes nothing", () => {
  const origin = originOf(A);
  const { learned, take, known, keys } = createReplica();
  const register = say(origin, { policy: "api", name: "k" }, { units: 5 });
  const other = say(origin, { policy: "api", name: "other" });
  sayAgain(register, { units: 6 });
  const before = messageOf([[origin, 0]]);
  sayAgain(register, { units: 8, resets: 1 });
  take(messageOf([[origin, 0]]));
  known().drop(keys.find("api", "other")!.registers.pop() as typeof other);
  sayAgain(other, { units: 1 });
  take(messageOf([[origin, 5]]));
  assert.equal(known().version, 0, "it asks for all");
  take(before);
  take(messageOf([[origin, known().version]]));
  assert.equal(known().version, 6);
  const ofKey = learned.filter(({ key }) => key === "k");
  assert.deepEqual(
    ofKey.map(({ units, before }) => [before.units, units, before.resets]),
    [
      [0, 8, 0],
      [8, 8, 1],
    ],
  );
});

test("a register that may have been forgotten is named again, with what its readers knew of it", () => {
  const origin = originOf(A);
  const { learned, take, known, keys } = createReplica();
  const register = say(origin, { policy: "api", name: "k" }, { units: 5 });
  take(messageOf([[origin, 0]]));
  const mine = keys.find("api", "k")!.registers.pop()!;
  known().drop(mine as typeof register);
  register.namedAt = origin.version + 1;
  register.base = register.units;
  sayAgain(register, { units: 8 });
  take(messageOf([[origin, 2]]));
  assert.deepEqual([learned.at(-1)!.before.units, learned.at(-1)!.units], [5, 8]);
  assert.equal(known().version, 3, "and nothing else is told again");
});

test("where there is no room for another key the rest is learned, and nothing is told again for it", () => {
  const origin = originOf(A);
  const { learned, take, known, keys } = createReplica(2);
  take(messageOf([[origin, 0]]));
  const registers = ["a", "b", "c"].map((name) => say(origin, { policy: "api", name }));
  take(messageOf([[origin, 1]]));
  assert.deepEqual(
    learned.map(({ key }) => key),
    ["a", "b"],
  );
  for (const register of registers) sayAgain(register, { units: 1 });
  take(messageOf([[origin, 4]]));
  assert.deepEqual([known().version, keys.size, keys.isFull], [7, 2, true]);
});

test("a key of which a node begins anew is counted anew, and its old register is forgotten", () => {
  const origin = originOf(A);
  const { learned, take, keys } = createReplica();
  take(messageOf([[origin, 0]]));
  const register = say(origin, { policy: "api", name: "k" }, { units: 5 });
  take(messageOf([[origin, 1]]));
  origin.drop(register);
  origin.version += 1;
  const again = origin.create(7, register.key, origin.version, 2);
  again.units = 2;
  origin.wrote(again, origin.version, 0);
  take(messageOf([[origin, 2]]));
  assert.deepEqual([learned.at(-1)!.before.units, learned.at(-1)!.units], [0, 2]);
  assert.equal(keys.find("api", "k")!.registers.length, 1);
});

test("news is as young as its writer can prove, and never younger", () => {
  const origin = originOf(A);
  origin.asOf = -2_000_000;
  const { replica, take, known } = createReplica();
  take(messageOf([[origin, 0]]), 10_000_000, 9_000_000);
  assert.equal(known().asOf, 7_000_000);
  replica.noteAges([{ instance: A, version: 1, ageUs: 1_000_000 }], 9_500_000);
  assert.equal(known().asOf, 8_500_000);
  replica.noteAges([{ instance: A, version: 2, ageUs: 0 }], 9_500_000);
  assert.equal(known().asOf, 8_500_000, "whoever knows more says nothing of what is known here");
  replica.noteAges([{ instance: A, version: 1, ageUs: 0 }], Number.NEGATIVE_INFINITY);
  assert.equal(known().asOf, 8_500_000, "nor does a message that answers none");
});

test("there are only so many lives of nodes: those that are over make room", () => {
  const { replica, take } = createReplica();
  const lives = Array.from({ length: 3_000 }, (_, life) => {
    return originOf(life.toString(16).padStart(16, "1"));
  });
  for (const origin of lives) {
    say(origin, { policy: "api", name: "hot" }, { units: 1 });
    take(messageOf([[origin, 0]]));
    const known = replica.find(origin.instance)!;
    known.asOf = 0;
    known.isOver = true;
  }
  const known = [...replica.origins()];
  assert.equal(known.length, 2_048);
  assert.ok(known.includes(replica.own));
  assert.ok(replica.find(lives.at(-1)!.instance) !== undefined, "the newest is known");
});

test("what a life that is over said is shed where another speaks for the key, and kept where none does", () => {
  const { replica, take, keys } = createReplica();
  const origins = [originOf(A), originOf("00000000000000cc")];
  say(origins[0]!, { policy: "api", name: "shared" });
  say(origins[0]!, { policy: "api", name: "lonely" });
  say(origins[1]!, { policy: "api", name: "shared" });
  take(messageOf(origins.map((origin) => [origin, 0] as const)));
  const known = replica.find(A)!;
  known.isOver = true;
  replica.shed(known);
  assert.equal(known.size, 1);
  assert.deepEqual(
    ["shared", "lonely"].map((name) => keys.find("api", name)!.registers.length),
    [1, 1],
  );
  replica.forget(known);
  assert.equal(keys.find("api", "lonely")!.registers.length, 0);
});

test("where others know more of a node than it said, it says all anew above that", () => {
  const own = originOf(A);
  const registers = ["a", "b"].map((name) => say(own, { policy: "api", name }, { units: 1 }));
  const { learned, take, known } = createReplica();
  take(messageOf([[own, 0]]));
  known().version = 50;
  sayAgain(registers[0]!, { units: 4 });
  take(messageOf([[own, 3]]));
  assert.equal(learned.at(-1)!.units, 1, "it is not believed");
  own.raise(50);
  take(messageOf([[own, 50]]));
  assert.deepEqual([learned.at(-1)!.before.units, learned.at(-1)!.units], [1, 4]);
  assert.deepEqual(told(own, 50).ids, [2, 1]);
});

test("a small message tells some of each origin in turn, so that all are told in the end", () => {
  const { replica } = createReplica();
  const keys = new CountedKeys();
  const other = new Replica(originOf("00000000000000ff"), keys, () => {});
  for (let node = 0; node < 30; node += 1) {
    const origin = originOf(`${node}`.padStart(16, "c"), "a".repeat(200));
    say(origin, { policy: "api", name: `k${node}` });
    readInto(replica, messageOf([[origin, 0]]));
  }
  let messages = 0;
  for (let isAll = false; !isAll; messages += 1) {
    assert.ok(messages < 20, `${messages} messages`);
    const writer = new MessageWriter(new ByteWriter(), headerOf(), 0, 1_024);
    writer.digest([]);
    const digest = new Map(
      [...other.origins()].map(({ instance, version }) => [instance, version]),
    );
    isAll = replica.tell(writer, digest, () => true);
    assert.ok(writer.bytes.length < 2_048);
    const read = readWhole(writer.bytes.slice());
    assert.equal(read.isMore, !isAll);
    readInto(other, writer.bytes.slice());
  }
  assert.equal([...other.origins()].length, 32);
  assert.equal(keys.size, 30);
});

test("a node has left when it says so, and has not when it goes on to say something", () => {
  const origin = originOf(A);
  const { take, known } = createReplica();
  take(messageOf([[origin, 0]]));
  origin.hasLeft = true;
  take(messageOf([[origin, 0]]));
  assert.equal(known().hasLeft, true, "a stranger may say so too");
  origin.hasLeft = false;
  take(messageOf([[origin, 0]]));
  assert.equal(known().hasLeft, true, "what is older than that does not deny it");
  say(origin, { policy: "api", name: "k" });
  take(messageOf([[origin, 1]]));
  assert.equal(known().hasLeft, false);
  origin.hasLeft = true;
  origin.version += 1;
  take(messageOf([[origin, 2]]));
  assert.equal(known().hasLeft, true);
});
