// The order in which registers were written, and where they are found by id, against plain lists that forget nothing.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CountedKey } from "../../src/gossip/counted-key.ts";
import type { Origin, OriginRegister } from "../../src/gossip/origin.ts";
import { RegistersById } from "../../src/gossip/registers-by-id.ts";
import { originOf } from "./messages.ts";

/** What happens to a register: it is written, written with its name, or dropped; or all is said anew. */
const events = fc.array(
  fc.record({
    register: fc.nat({ max: 7 }),
    what: fc.constantFrom("write", "write", "write", "name", "drop", "raise"),
    times: fc.constantFrom(1, 1, 5, 400),
  }),
  { maxLength: 60 },
);

interface Written {
  readonly id: number;
  readonly at: number;
}

/** What is handed out behind a version. */
function handedOut(origin: Origin, from: number): Written[] {
  const all: Written[] = [];
  origin.after(from, ({ id }, at) => all.push({ id, at }) > 0);
  return all;
}

/** The same of a list of all that was ever written: where each register was named last, and written last. */
function expected(written: readonly (Written & { readonly isNamed: boolean })[], from: number) {
  const last = new Map<number, number>();
  const named = new Map<number, number>();
  for (const { id, at, isNamed } of written) {
    last.set(id, at);
    if (isNamed) named.set(id, at);
  }
  return written
    .filter(({ id, at }) => at > from && (last.get(id) === at || named.get(id) === at))
    .map(({ id, at }) => ({ id, at }));
}

test("whatever is written, named, dropped and said anew, the log hands out what is still of use, in order", () => {
  fc.assert(
    fc.property(events, (history) => {
      const origin = originOf("00000000000000aa");
      const registers: (OriginRegister | undefined)[] = [];
      let written: (Written & { readonly isNamed: boolean })[] = [];
      let ids = 0;
      const write = (place: number, isNamed: boolean) => {
        origin.version += 1;
        const at = origin.version;
        const isNew = registers[place] === undefined;
        registers[place] ??= origin.create(++ids, new CountedKey("api", `${place}`), at, 1);
        const register = registers[place]!;
        if (isNamed) register.namedAt = at;
        origin.wrote(register, at, 0);
        written.push({ id: register.id, at, isNamed: isNamed || isNew });
      };
      for (const { register: place, what, times } of history) {
        const register = registers[place];
        if (what === "drop") {
          if (register === undefined) continue;
          origin.drop(register);
          registers[place] = undefined;
          written = written.filter(({ id }) => id !== register.id);
        } else if (what === "raise") {
          const order = expected(written, 0).filter(({ id, at }, index, all) => {
            return all.findLastIndex((other) => other.id === id) === index && at > 0;
          });
          origin.raise(origin.version);
          const first = origin.version - order.length;
          written = order.map(({ id }, index) => ({ id, at: first + index + 1, isNamed: true }));
        } else {
          for (let time = 0; time < times; time += 1) write(place, what === "name");
        }
      }
      for (const from of [0, Math.floor(origin.version / 2), origin.version - 3, origin.version]) {
        assert.deepEqual(handedOut(origin, from), expected(written, from));
      }
      assert.equal(origin.size, registers.filter((register) => register !== undefined).length);
    }),
    { numRuns: 200, seed: 20_261_129 },
  );
});

test("a register that was dropped and came again under its id is handed out where it came again alone", () => {
  const origin = originOf("00000000000000aa");
  const key = new CountedKey("api", "k");
  const write = (register: OriginRegister) => {
    origin.version += 1;
    origin.wrote(register, origin.version, 0);
  };
  const before = origin.create(1, key, origin.version + 1, 1);
  write(before);
  write(before);
  origin.drop(before);
  assert.deepEqual(handedOut(origin, 0), []);
  write(origin.create(1, key, origin.version + 1, 1));
  assert.deepEqual(handedOut(origin, 0), [{ id: 1, at: 4 }]);
});

test("registers are found by ids near and far, and only those that are there", () => {
  const origin = originOf("00000000000000aa");
  const byId = new RegistersById<Origin>();
  const ids = [0, 1, 31, 32, 33, 4_000, 2 ** 31, 2 ** 31 + 1, 2 ** 47];
  const registers = ids.map((id) => origin.create(id, new CountedKey("api", `${id}`), 1, 1));
  for (const register of registers) byId.set(register);
  byId.set(registers[0]!);
  assert.equal(byId.size, ids.length);
  for (const register of registers) assert.equal(byId.find(register.id), register);
  assert.deepEqual(
    [byId.find(2), byId.find(64), byId.find(2 ** 46)],
    [undefined, undefined, undefined],
  );
  const other = origin.create(33, new CountedKey("api", "another"), 1, 1);
  byId.delete(other);
  assert.equal(byId.find(33), registers[4], "another of the same id is not taken for it");
  for (const register of registers.slice(2)) byId.delete(register);
  byId.delete(registers[8]!);
  assert.equal(byId.size, 2);
  assert.deepEqual([...byId.all()], registers.slice(0, 2));
  assert.equal(byId.find(32), undefined);
});
