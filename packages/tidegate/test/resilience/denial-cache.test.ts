// The denial cache: what a remembered denial answers, for how long, and what makes it forgotten.

import assert from "node:assert/strict";
import { test } from "node:test";
import { concurrency, fixedWindow, type PolicyOptions } from "tidegate";
import { createPolicy } from "../../src/policy/policy.ts";
import { DenialCache } from "../../src/resilience/denial-cache.ts";
import { admissionOf, denialOf } from "../support/decisions.ts";

const NOW = Date.UTC(2026, 0, 1) * 1_000;
const MS = 1_000;
const limits = [fixedWindow({ limit: 10, window: "1h" })];
const createApi = (options: Partial<PolicyOptions> = {}) => {
  return createPolicy("api", { limits, ...options });
};
const policy = createApi();

/** A cache that knows that 3 units of the key "k" are denied for a minute. */
function createKnowing(retryAfterMs: number | null = 60_000): DenialCache {
  const cache = new DenialCache();
  cache.add(policy, "k", 3, denialOf(policy, "k", retryAfterMs, { remaining: 2 }), NOW);
  return cache;
}

test("covers the cost that was denied and greater ones, of this key and policy only", () => {
  const cache = createKnowing();
  const find = (key: string, cost: number) => cache.find(policy, key, cost, NOW, false);
  for (const cost of [3, 4, 10]) assert.equal(find("k", cost)?.allowed, false, `${cost}`);
  for (const cost of [1, 2]) assert.equal(find("k", cost), undefined, `${cost}`);
  assert.equal(find("l", 3), undefined);
  const other = createPolicy("other", { limits });
  assert.equal(cache.find(other, "k", 3, NOW, false), undefined);
});

test("answers the decision as it was, but for what is left of its times, rounded so that none ends early", () => {
  const cache = createKnowing();
  const denial = denialOf(policy, "k", 60_000, { remaining: 2, source: "cache" });
  assert.deepEqual(cache.find(policy, "k", 3, NOW, false), denial);
  const later = cache.find(policy, "k", 3, NOW + 500 * MS + 1, false);
  assert.deepEqual(later, { ...denial, retryAfterMs: 59_500, resetAfterMs: 59_500 });
});

test("holds 0.9 s while the store answers, and its whole time while that is away", () => {
  const cache = createKnowing();
  const isKnown = (ms: number, away: boolean) => {
    return cache.find(policy, "k", 3, NOW + ms * MS, away) !== undefined;
  };
  assert.deepEqual([isKnown(899.999, false), isKnown(900, false)], [true, false]);
  assert.deepEqual([isKnown(900, true), isKnown(59_999.999, true)], [true, true]);
  assert.equal(isKnown(60_000, true), false);
  const short = createKnowing(200);
  const shortly = (ms: number) => short.find(policy, "k", 3, NOW + ms * MS, false) !== undefined;
  assert.deepEqual([shortly(199.999), shortly(200)], [true, false], "never past its retry time");
});

test("a denial that no wait ends says so, for as long as the store is away", () => {
  const cache = createKnowing(null);
  assert.equal(cache.find(policy, "k", 3, NOW + 800 * MS, false)?.retryAfterMs, null);
  assert.equal(cache.find(policy, "k", 3, NOW + 3_600_000 * MS, true)?.retryAfterMs, null);
  assert.equal(cache.find(policy, "k", 3, NOW + 900 * MS, false), undefined);
});

test("a cost above the limit is never admitted, whatever the denial of a smaller one says", () => {
  const cache = createKnowing();
  assert.equal(cache.find(policy, "k", 10, NOW, false)?.retryAfterMs, 60_000);
  assert.equal(cache.find(policy, "k", 11, NOW, false)?.retryAfterMs, null);
});

test("trap 6: never is not told beside the numbers of a limit that has room for the cost", () => {
  const two = createPolicy("two", {
    limits: [
      fixedWindow({ limit: 5, window: "1s", name: "second" }),
      fixedWindow({ limit: 100, window: "1h", name: "hour" }),
    ],
  });
  const cache = new DenialCache();
  cache.add(two, "k", 1, denialOf(two, "k", 60_000, { limitName: "hour", limit: 100 }), NOW);
  assert.equal(cache.find(two, "k", 5, NOW, false)?.retryAfterMs, 60_000);
  // It is "second" that never admits it, and how that stands is not known here.
  assert.equal(cache.find(two, "k", 6, NOW, false), undefined);
  assert.equal(cache.find(two, "k", 101, NOW, false)?.retryAfterMs, null, "nor does hour");
});

test("what was admitted is not remembered, nor what a shadow let through, nor permits", () => {
  const cache = new DenialCache();
  cache.add(policy, "k", 1, admissionOf(policy, "k"), NOW);
  const shadow = createApi({ shadow: true });
  cache.add(shadow, "k", 1, admissionOf(shadow, "k", { shadow: true }), NOW);
  const job = createPolicy("job", { limits: [concurrency({ limit: 1, lease: "1m" }), ...limits] });
  cache.add(job, "k", 1, denialOf(job, "k", 60_000), NOW);
  assert.deepEqual([cache.isEmpty, cache.size], [true, 0]);
  cache.drop(job, "k", NOW);
  assert.equal(cache.isEmpty, true, "a permit that comes back pushes no denial out");
});

test("trap 6: a changed limit is another policy, for which nothing is known", () => {
  const cache = createKnowing();
  const raised = createApi({ limits: [fixedWindow({ limit: 20, window: "1h" })] });
  assert.equal(cache.find(raised, "k", 3, NOW, true), undefined);
  assert.equal(cache.find(createApi(), "k", 3, NOW, true), undefined, "also where it is alike");
  cache.add(raised, "k", 5, denialOf(raised, "k", 100), NOW);
  assert.equal(cache.find(policy, "k", 5, NOW, true), undefined, "one policy of a name at a time");
  assert.notEqual(cache.find(raised, "k", 5, NOW, true), undefined);
});

test("a key that is dropped is forgotten, and so is what was asked before and is answered after", () => {
  const cache = createKnowing();
  cache.drop(policy, "k", NOW + 10 * MS);
  assert.equal(cache.find(policy, "k", 3, NOW + 10 * MS, true), undefined);
  const add = (askedMs: number) => {
    cache.add(policy, "k", 3, denialOf(policy, "k", 60_000), NOW + askedMs * MS);
    return cache.find(policy, "k", 3, NOW + 20 * MS, true) !== undefined;
  };
  assert.deepEqual([add(0), add(10), add(10.001)], [false, false, true]);
  cache.drop(policy, "l", NOW);
  assert.equal(cache.find(policy, "k", 3, NOW + 20 * MS, true) !== undefined, true, "not others");
});

test("a clock that was stepped back knows of no denial, and remembers new ones", () => {
  const cache = createKnowing();
  assert.equal(cache.find(policy, "k", 3, NOW - 1, true), undefined);
  cache.drop(policy, "k", NOW);
  const earlier = NOW - 3_600_000 * MS;
  cache.add(policy, "k", 3, denialOf(policy, "k", 60_000), earlier);
  assert.equal(cache.find(policy, "k", 3, earlier, true)?.retryAfterMs, 60_000);
  assert.equal(cache.find(policy, "k", 3, NOW, true), undefined, "stepped forward: it is over");
});

test("trap 8: 20,000 are remembered at most, and the latest of them", () => {
  const cache = new DenialCache();
  const denial = denialOf(policy, "k", null);
  for (let index = 0; index < 100_000; index += 1) {
    if (index % 3 === 0) cache.drop(policy, `k${index}`, NOW);
    else cache.add(policy, `k${index}`, 1, denial, NOW);
    if (index % 1_000 === 0) assert.ok(cache.size <= 20_000, `${cache.size}`);
  }
  assert.ok(cache.size <= 20_000 && cache.size >= 10_000, `${cache.size}`);
  assert.notEqual(cache.find(policy, "k99998", 1, NOW, false), undefined);
  assert.equal(cache.find(policy, "k1", 1, NOW, false), undefined);
});

test("trap 8: a key that is denied again and again takes one place, as do many policies one bound", () => {
  const cache = new DenialCache(10);
  for (let time = 0; time < 100; time += 1) {
    cache.add(policy, "k", 1, denialOf(policy, "k", 60_000), NOW + time);
  }
  assert.equal(cache.size, 1);
  for (let index = 0; index < 100; index += 1) {
    const one = createPolicy(`p${index}`, { limits });
    cache.add(one, "k", 1, denialOf(one, "k", 60_000), NOW);
    assert.ok(cache.size <= 10, `${cache.size}`);
  }
  cache.clear();
  assert.deepEqual([cache.size, cache.isEmpty], [0, true]);
});
