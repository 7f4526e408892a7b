// What is remembered under ids, and within which bound.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Records, recordName } from "../../src/stores/records.ts";
import { heapUsed } from "../support/heap-used.ts";

const value = (expiresAt: number, weight?: number) => {
  return weight === undefined ? { expiresAt } : { expiresAt, weight };
};

test("what has expired is not found, and swept by what comes", () => {
  const records = new Records(1_000, true);
  for (let index = 0; index < 100; index += 1) records.set(`old${index}`, value(10), 0);
  assert.deepEqual(records.find("old5", 9), value(10));
  assert.equal(records.find("old5", 10), undefined);
  assert.equal(records.size, 100);
  for (let index = 0; index < 50; index += 1) records.set(`new${index}`, value(100), 10);
  assert.equal(records.size, 50, "two are looked at with each that comes");
});

test("the oldest go first where there is no room, also those that have not expired", () => {
  const records = new Records(10, true);
  for (let index = 0; index < 25; index += 1) records.set(`r${index}`, value(1_000), 0);
  assert.equal(records.size, 10);
  assert.equal(records.find("r14", 0), undefined);
  assert.notEqual(records.find("r15", 0), undefined);
  records.set("r15", value(2_000), 0);
  records.set("r25", value(1_000), 0);
  assert.deepEqual(records.find("r15", 0), value(2_000), "set again, it is the newest");
  assert.equal(records.find("r16", 0), undefined);
});

test("one that weighs more takes the room of several", () => {
  const records = new Records(100, true);
  for (let index = 0; index < 100; index += 1) records.set(`r${index}`, value(1_000), 0);
  records.set("heavy", value(1_000, 64), 0);
  assert.equal(records.size, 37);
  records.set("heavy", value(1_000, 1), 0);
  for (let index = 100; index < 200; index += 1) records.set(`r${index}`, value(1_000), 0);
  assert.equal(records.size, 100, "what it weighed is free again");
  records.set("heaviest", value(1_000, 1_000), 0);
  assert.deepEqual([records.size, records.find("heaviest", 0) !== undefined], [1, true]);
});

test("whatever comes, the same are kept as by a list that is looked through from its beginning", () => {
  const steps = fc.array(fc.tuple(fc.nat(12), fc.nat(20), fc.integer({ min: 1, max: 3 })), {
    minLength: 20,
    maxLength: 120,
  });
  let dropped = 0;
  fc.assert(
    fc.property(steps, (history) => {
      const records = new Records<ReturnType<typeof value>>(8, true);
      let list: { name: string; ends: number; weight: number }[] = [];
      for (const [now, [key, lasts, weight]] of history.entries()) {
        const name = `r${key}`;
        list = list.filter((one) => one.name !== name);
        for (let looked = 0; list.length > 0; looked += 1) {
          const sum = list.reduce((total, one) => total + one.weight, weight);
          if (sum <= 8 && (looked >= 2 || now < list[0]!.ends)) break;
          list.shift();
          dropped += 1;
        }
        list.push({ name, ends: now + lasts, weight });
        records.set(name, value(now + lasts, weight), now);
        assert.equal(records.size, list.length);
        for (const { name: kept, ends } of list) {
          assert.equal(records.find(kept, now) !== undefined, now < ends);
        }
      }
    }),
    { numRuns: 500 },
  );
  assert.ok(dropped > 5_000, `${dropped} were dropped`);
});

for (const staying of [["cold"], []]) {
  test(`one key that is set again and again holds no more than the last, beside ${staying.length}`, () => {
    const records = new Records(1_000, true);
    const setAgain = (times: number) => {
      for (let index = 0; index < times; index += 1) records.set("hot", value(1_000), 0);
    };
    for (const name of staying) records.set(name, value(1_000), 0);
    setAgain(10_000);
    const before = heapUsed();
    setAgain(100_000);
    const grown = heapUsed() - before;
    assert.ok(grown < 1e6, `the heap grew by ${grown} bytes`);
  });
}

test("stores that are compared do not sweep", () => {
  const records = new Records(1_000, false);
  for (let index = 0; index < 100; index += 1) records.set(`old${index}`, value(1), 0);
  for (let index = 0; index < 100; index += 1) records.set(`new${index}`, value(9), 5);
  assert.equal(records.size, 200);
});

test("no two names are the same, whatever is in policies, keys and ids", () => {
  const texts = ["", "a", "a:b", ":", "1", "1:a", "\0", "a\0", "b"];
  const names = ["p", "p1"].flatMap((policy) => {
    return texts.flatMap((key) => texts.map((id) => recordName(policy, key, id)));
  });
  assert.equal(new Set(names).size, 2 * texts.length ** 2);
});
