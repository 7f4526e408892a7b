// The permits of one key answer what a plain list that is looked through would, in whatever order they come and end.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Permits } from "../../src/algorithms/permits.ts";

interface Held {
  readonly id: string;
  readonly units: number;
  expiresAt: number;
}

const step = fc.record({
  act: fc.constantFrom("add", "add", "add", "remove", "extend", "expire", "endBy"),
  id: fc.nat(8).map((number) => `p${number}`),
  units: fc.integer({ min: 1, max: 3 }),
  instant: fc.nat(12),
  /** With time, as where no clock is stepped back and no lease changed, or whenever. */
  follows: fc.boolean(),
});

test("whatever comes, the ends are those of a list", () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 60, size: "max" }), (steps) => {
      const permits = new Permits();
      let list: Held[] = [];
      let now = 0;
      for (const { act, id, units, instant, follows } of steps) {
        const known = list.find((held) => held.id === id);
        const found = permits.find(id);
        assert.deepEqual([found?.units, found?.expiresAt], [known?.units, known?.expiresAt]);
        if (follows) now += instant;
        const at = follows ? now : instant;
        seen.add(`${act} ${known !== undefined}`);
        if (act === "add" && known === undefined) {
          permits.add(id, units, at);
          list.push({ id, units, expiresAt: at });
        } else if (act === "remove") {
          assert.equal(permits.remove(id), known?.units ?? 0);
          list = list.filter((held) => held !== known);
        } else if (act === "extend") {
          assert.equal(permits.extend(id, at), known !== undefined);
          if (known !== undefined) known.expiresAt = at;
        } else if (act === "expire") {
          const ended = list.filter(({ expiresAt }) => expiresAt <= at);
          assert.equal(permits.expire(at), unitsOf(ended));
          list = list.filter(({ expiresAt }) => expiresAt > at);
        } else if (act === "endBy") {
          permits.endBy(at);
          for (const held of list) held.expiresAt = Math.min(held.expiresAt, at);
        }
        assertSame(permits, list);
      }
    }),
    { numRuns: 2_000 },
  );
  assert.equal(seen.size, 10, [...seen].join());
});

function unitsOf(list: readonly Held[]): number {
  return list.reduce((sum, { units }) => sum + units, 0);
}

function assertSame(permits: Permits, list: readonly Held[]): void {
  const ends = list.map(({ expiresAt }) => expiresAt);
  assert.equal(permits.earliest(), list.length === 0 ? 0 : Math.min(...ends));
  assert.equal(permits.latest(), Math.max(0, ...ends));
  for (let missing = 1; missing <= unitsOf(list); missing += 1) {
    const free = (instant: number) =>
      unitsOf(list.filter(({ expiresAt }) => expiresAt <= instant)) >= missing;
    assert.equal(permits.endOf(missing), Math.min(...ends.filter(free)));
  }
}
