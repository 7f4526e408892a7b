// A store of several nodes, one of which is away: what is asked of the others goes on, and what spans them is one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { settled } from "../support/manual-timer.ts";
import { brief, createGuardedLimiter } from "./guarded-limiter.ts";

const part = (policy: string, key: string, cost = 1) => ({ policy, key, cost });

test("the keys of the other nodes are decided by them, and only the one that is away is probed", async () => {
  const { limiter, store, timer, goAway, changes } = createGuardedLimiter(undefined, {
    cluster: true,
  });
  await goAway("opener", "a");
  assert.deepEqual(brief(await limiter.check(part("allow", "a1"))), [true, 10, 0, "fail-open"]);
  assert.deepEqual(brief(await limiter.check(part("allow", "b1"))), [true, 9, 0, "store"]);
  store.calls.length = 0;
  await timer.advanceMs(2_000);
  const pings = store.calls.filter((call) => call.startsWith("ping"));
  assert.ok(pings.length > 0);
  assert.deepEqual(new Set(pings), new Set(["ping:a"]));
  assert.deepEqual(new Set(changes.map(({ node }) => node)), new Set(["a"]));
  store.set("up", "a");
  await timer.advanceMs(500);
  assert.deepEqual(brief(await limiter.check(part("allow", "a1"))), [true, 9, 0, "store"]);
});

test("a batch is answered each by who can, in order", async () => {
  const { limiter, goAway } = createGuardedLimiter(undefined, { cluster: true });
  await settled();
  await goAway("opener", "a");
  const decisions = await limiter.checkAll([
    part("allow", "a"),
    part("allow", "b"),
    part("local", "a"),
    part("deny", "a"),
    part("deny", "b"),
  ]);
  assert.deepEqual(
    decisions.map(({ source }) => source),
    ["fail-open", "store", "fallback", "fail-closed", "store"],
  );
});

test("several keys as one over nodes: what one gave is given back where another is denied in its place", async () => {
  const { limiter, goAway } = createGuardedLimiter(undefined, { cluster: true });
  await settled();
  await goAway("opener", "a");
  const left = async (policy: string, key: string) => {
    return (await limiter.peek(part(policy, key, 0))).remaining;
  };
  const denied = await limiter.checkEvery([part("allow", "b", 4), part("deny", "a")]);
  assert.deepEqual([denied.allowed, denied.source], [false, "fail-closed"]);
  assert.equal(await left("allow", "b"), 10);
  await limiter.check(part("allow", "c", 10));
  const full = await limiter.checkEvery([part("local", "a", 4), part("allow", "c")]);
  assert.deepEqual([full.allowed, full.policy], [false, "allow"]);
  assert.equal(await left("local", "a"), 5, "given back in memory");
  const both = await limiter.checkEvery([part("local", "a", 4), part("allow", "b", 4)]);
  assert.equal(both.allowed, true);
  assert.deepEqual([await left("local", "a"), await left("allow", "b")], [1, 6]);
});

test("a node that hangs holds nobody up beyond the deadline, who asks for keys of another too", async () => {
  const { limiter, store, expire } = createGuardedLimiter(undefined, { cluster: true });
  await settled();
  store.set("hung", "a");
  const every = limiter.checkEvery([part("allow", "a"), part("deny", "b")]);
  const all = limiter.checkAll([part("local", "a"), part("allow", "b")]);
  assert.equal((await limiter.check(part("deny", "b"))).source, "store");
  await expire();
  assert.equal((await every).allowed, true);
  assert.deepEqual(
    (await all).map(({ source }) => source),
    ["fallback", "store"],
  );
});
