import { strict as assert } from "node:assert";
import { test } from "node:test";
import { CountedKeys } from "../../src/gossip/keys.ts";

test("a key is found where the store has it, and is another's where that has moved", () => {
  const keys = new CountedKeys();
  const a = keys.obtain("api", "a")!;
  const b = keys.obtain("api", "b")!;
  assert.equal(keys.findAt("api", "a", 7), a);
  assert.equal(keys.findAt("api", "a", 7), a, "the second time by its place");
  assert.equal(keys.findAt("api", "b", 7), b, "the store gave the place to another");
  assert.equal(keys.findAt("api", "a", 7), a);
  assert.equal(keys.findAt("api", "a", 9), a);
  assert.equal(keys.findAt("api", "a", 0), a, "the store does not have it");
  assert.equal(keys.findAt("api", "c", 7), undefined);
  assert.equal(keys.findAt("other", "a", 9), undefined, "places are a policy's own");
});

test("a key that was forgotten is not found at any place where it was", () => {
  const keys = new CountedKeys();
  const before = keys.obtain("api", "a")!;
  keys.obtain("api", "b");
  keys.findAt("api", "a", 3);
  keys.findAt("api", "a", 4);
  keys.drop(before);
  assert.equal(keys.findAt("api", "a", 3), undefined);
  const after = keys.obtain("api", "a")!;
  assert.notEqual(after, before);
  assert.equal(keys.findAt("api", "a", 4), after);
  assert.equal(keys.size, 2);
});
