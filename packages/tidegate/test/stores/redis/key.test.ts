// Names in Redis: different policy keys never meet, and one policy key is one Cluster slot.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createKeyNames, redisKey, slotOf } from "../../../src/stores/redis/key.ts";

const policyArbitrary = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,5}$/);
const keyArbitrary = fc.oneof(
  fc.string({ unit: "binary", minLength: 1, maxLength: 8 }),
  fc.string({
    unit: fc.constantFrom("%", "}", "{", ":", "7", "D", "u", "\ud800", "\udc00"),
    minLength: 1,
  }),
);
const asBytes = (name: string) => Buffer.from(name, "utf8").toString("hex");

test("two policy keys have one name only if they are the same, as bytes too", () => {
  fc.assert(
    fc.property(policyArbitrary, keyArbitrary, policyArbitrary, keyArbitrary, (p, k, q, l) => {
      const same = p === q && k === l;
      assert.equal(asBytes(redisKey("t", p, k)) === asBytes(redisKey("t", q, l)), same);
    }),
    { numRuns: 5_000 },
  );
});

test("with a hash tag of the application's, too", () => {
  const tags = fc.func(fc.constantFrom("a", "b", "}", "{a}", "a}:{b"));
  fc.assert(
    fc.property(
      tags,
      policyArbitrary,
      keyArbitrary,
      policyArbitrary,
      keyArbitrary,
      (tag, p, k, q, l) => {
        const nameOf = createKeyNames("t", (request) => tag(request.policy, request.key));
        const same = p === q && k === l;
        assert.equal(asBytes(nameOf(p, k)) === asBytes(nameOf(q, l)), same);
        if (tag(p, k) === tag(q, l)) assert.equal(slotOf(nameOf(p, k)), slotOf(nameOf(q, l)));
        assert.notEqual(nameOf(p, k), redisKey("t", q, l));
      },
    ),
    { numRuns: 2_000 },
  );
  const empty = createKeyNames("t", () => "");
  assert.throws(() => empty("api", "k"), { code: "INVALID_OPTION", field: "hashTag" });
});

test("all of policy and key is in the hash tag", () => {
  fc.assert(
    fc.property(policyArbitrary, keyArbitrary, (policy, key) => {
      const name = redisKey("tidegate", policy, key);
      assert.ok(name.startsWith("tidegate:v1:{"));
      assert.equal(name.indexOf("}"), name.length - 1);
    }),
  );
});

test("slots are those of the Cluster specification", () => {
  assert.equal(slotOf("x:{123456789}"), 0x31c3, "CRC16 XMODEM of 123456789");
  assert.equal(slotOf("{user1000}"), 3443);
});
