import assert from "node:assert/strict";
import { test } from "node:test";
import { DistinctKeys } from "../../src/telemetry/distinct-keys.ts";

/** Names as applications give them: alike but for a few characters. */
const SHAPES: Readonly<Record<string, (index: number) => string>> = {
  users: (index) => `user:${index}`,
  addresses: (index) => `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`,
  "single characters": (index) =>
    String.fromCodePoint(0x20000 + (index % 60_000), Math.floor(index / 60_000)),
  "long ones": (index) => `${"tenant/".repeat(20)}${index}`,
};

test("the estimate is within five standard errors, for every shape of key", () => {
  for (const [shape, keyOf] of Object.entries(SHAPES)) {
    for (const count of [0, 1, 10, 1_000, 10_000, 200_000]) {
      const keys = new DistinctKeys();
      for (let index = 0; index < count; index += 1) keys.add(keyOf(index));
      const error = Math.abs(keys.estimate() - count);
      assert.ok(
        error <= Math.max(0.08 * count, count > 5 ? 1 : 0),
        `${shape}: ${count} ± ${error}`,
      );
    }
  }
});

test("a key counts once, however often it is checked", () => {
  const keys = new DistinctKeys();
  for (let times = 0; times < 1_000; times += 1) keys.add("user:1");
  assert.equal(keys.estimate(), 1);
});

test("keys are forgotten after seven rotations, and not before", () => {
  const keys = new DistinctKeys();
  keys.add("old");
  for (let rotation = 1; rotation <= 6; rotation += 1) {
    keys.rotate();
    keys.add("new");
    assert.equal(keys.estimate(), 2, `after ${rotation}`);
  }
  keys.rotate();
  assert.equal(keys.estimate(), 1);
});

test("of long keys both ends and the length tell them apart", () => {
  const keys = new DistinctKeys();
  const middle = "m".repeat(200);
  for (const key of [`a${middle}`, `b${middle}`, `${middle}a`, `${middle}b`, `a${middle}m`]) {
    keys.add(key);
  }
  assert.equal(keys.estimate(), 5);
});
