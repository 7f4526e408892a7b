// Whether the store answers, asked of a limiter whose store fails.

import assert from "node:assert/strict";
import { test } from "node:test";
import { settled } from "../support/manual-timer.ts";
import { createGuardedLimiter } from "./guarded-limiter.ts";

const AWAY = { code: "STORE_UNAVAILABLE", transient: true };

test("a store that is known to be away is not asked: its circuit probes, and says why it is", async () => {
  const { limiter, store, goAway, comeBack } = createGuardedLimiter();
  await settled();
  await goAway();
  const calls = store.calls.length;
  await assert.rejects(limiter.ping(), {
    ...AWAY,
    message: "the store is away (Redis gave no answer: test), and is asked again in 50 ms at most",
  });
  assert.equal(store.calls.length, calls);
  await comeBack();
  await limiter.ping();
  assert.equal(store.calls.at(-1), "ping");
});

test("where a part of the store is away the rest is asked", async () => {
  const { limiter, store, goAway } = createGuardedLimiter(undefined, { cluster: true });
  await limiter.check({ policy: "allow", key: "b" });
  await goAway("allow", "a");
  await limiter.ping();
  assert.equal(store.calls.at(-1), "ping:");
});

test("a store that hangs has a second; all who ask meanwhile ask once", async () => {
  const { limiter, store, timer } = createGuardedLimiter();
  await settled();
  const before = store.calls.filter((call) => call === "ping").length;
  store.set("hung");
  const asked = [limiter.ping(), limiter.ping()].map((ping) => {
    return assert.rejects(ping, { ...AWAY, message: "the store gave no answer within 1000 ms" });
  });
  let rejected = false;
  void asked[0]!.then(() => (rejected = true));
  await timer.advanceMs(999);
  assert.equal(rejected, false);
  await timer.advanceMs(1);
  await settled();
  await Promise.all(asked);
  assert.equal(store.calls.filter((call) => call === "ping").length - before, 1);
  store.set("up");
  await limiter.ping();
  store.thaw();
});

test("an answer that has arrived with the deadline, as after a pause, is read first", async () => {
  const turns: (() => void)[] = [];
  const { limiter, store, timer } = createGuardedLimiter(undefined, {
    scheduler: { afterTurn: (work) => void turns.push(work) },
  });
  await settled();
  store.set("hung");
  const asked = limiter.ping();
  await timer.advanceMs(1_000);
  store.thaw();
  await settled();
  for (const work of turns) work();
  await asked;
});

test("close ends it", async () => {
  const { limiter, store, timer } = createGuardedLimiter();
  await settled();
  store.set("hung");
  const asked = assert.rejects(limiter.ping(), AWAY);
  await limiter.close();
  await asked;
  assert.equal(timer.size, 0);
});
