// The memory store's bounds under everything that is more than a check: logs, permits, several keys as one, ids.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  concurrency,
  fixedWindow,
  type Limit,
  memoryStore,
  type PolicyOptions,
  slidingLog,
  tokenBucket,
} from "tidegate";
import { heapUsed } from "../support/heap-used.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { createTestLimiter } from "../support/test-limiter.ts";

/** A linear congruential generator, so that the sampled slots are the same in every run. */
function createSeededRandom() {
  let state = 1;
  return {
    next() {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    },
  };
}

function create(policies: Record<string, PolicyOptions>, maxKeys: number, maxRecords = 1_000) {
  const clock = createManualClock();
  const store = memoryStore({ clock, maxKeys, maxRecords, random: createSeededRandom() });
  const told = { evicted: 0, overflowed: 0 };
  const telemetry = {
    evicted() {
      told.evicted += 1;
    },
    overflowed() {
      told.overflowed += 1;
    },
  };
  return { ...createTestLimiter(policies, { clock, store, telemetry }), store, told };
}

const hour = (limit: number) => [fixedWindow({ limit, window: "1h" })];
const log = (limit: number): Limit[] => [slidingLog({ limit, window: "1h" })];

test("trap 8: logs of ever new keys stay within maxKeys", async () => {
  const { limiter, store, told } = create({ api: { limits: log(3) } }, 100);
  for (let index = 0; index < 5_000; index += 1) {
    await limiter.check({ policy: "api", key: `k${index}` });
  }
  assert.deepEqual([store.size, told.evicted], [100, 4_900]);
  assert.equal(told.overflowed, 0);
});

test("trap 9: a log that denies is not the one that is forgotten", async () => {
  for (const limits of [log(3), [...log(3), ...hour(100)]]) {
    const { limiter, store } = create({ api: { limits } }, 50);
    const check = (key: string, cost = 1) => limiter.check({ policy: "api", key, cost });
    await check("full", 3);
    await check("denied", 2);
    assert.equal((await check("denied", 2)).allowed, false);
    for (let index = 0; index < 20_000; index += 1) await check(`k${index}`);
    assert.equal((await limiter.peek({ policy: "api", key: "full" })).allowed, false);
    assert.equal((await limiter.peek({ policy: "api", key: "denied", cost: 2 })).allowed, false);
    assert.equal(store.size, 50);
  }
});

test("trap 9: keys whose permits are held are not forgotten, and those that hold none are", async () => {
  const { limiter, clock, store, told } = create(
    { job: { limits: [concurrency({ limit: 2, lease: "10m" })] } },
    50,
  );
  const acquire = (key: string) => limiter.acquire({ policy: "job", key });
  const held = await Promise.all(Array.from({ length: 40 }, (_, index) => acquire(`held${index}`)));
  for (let index = 0; index < 5_000; index += 1) {
    await limiter.release(await acquire(`short${index}`));
  }
  assert.ok(store.size <= 50);
  for (const permit of held) assert.equal(await limiter.extend(permit), true, permit.key);
  const more = await Promise.all(Array.from({ length: 20 }, (_, index) => acquire(`more${index}`)));
  assert.equal(store.size, 50);
  const counted = more.filter(({ allowed }) => allowed).length;
  assert.ok(
    counted >= 10 && counted <= 13,
    `${counted}: ten with room, and two that share a count`,
  );
  assert.ok(told.overflowed > 0);
  for (const permit of held) assert.equal(await limiter.release(permit), true);
  for (const permit of more) await limiter.release(permit);
  clock.advanceMs(600_000);
  assert.equal((await acquire("late")).allowed, true, "room again");
});

test("trap 8: a crowd that is denied as one takes no room from anybody", async () => {
  const policies = { user: { limits: hour(10) }, organisation: { limits: hour(5) } };
  const { limiter, store, told } = create(policies, 100);
  const every = (user: string, organisation: string) => {
    return limiter.checkEvery([
      { policy: "user", key: user },
      { policy: "organisation", key: organisation },
    ]);
  };
  for (let index = 0; index < 100; index += 1) {
    await limiter.check({ policy: "user", key: `known${index}`, cost: 2 });
  }
  await limiter.check({ policy: "organisation", key: "full", cost: 5 });
  for (let index = 0; index < 5_000; index += 1) {
    assert.equal((await every(`crowd${index}`, "full")).allowed, false);
  }
  assert.ok(told.evicted <= 1, `${told.evicted} were forgotten`);
  assert.ok(store.size <= 101);
  for (let index = 0; index < 5_000; index += 1) {
    await every(`user${index}`, `organisation${index}`);
  }
  assert.ok(store.size <= 200, `${store.size} keys of two policies`);
});

test("keys of one checkEvery are not forgotten for each other", async () => {
  const policies = { user: { limits: hour(10) }, log: { limits: log(10) } };
  for (const maxKeys of [1, 2, 3]) {
    const { limiter, store } = create(policies, maxKeys);
    const requests = ["user", "log"].flatMap((policy) => {
      return ["a", "b", "c"].map((key) => ({ policy, key, cost: 2 }));
    });
    assert.equal((await limiter.checkEvery(requests)).allowed, true);
    for (const { policy, key } of requests) {
      if (key.charCodeAt(0) - 97 >= maxKeys) continue;
      const { remaining } = await limiter.peek({ policy, key, cost: 0 });
      assert.equal(remaining, 8, `${policy}:${key} of ${maxKeys}`);
    }
    assert.equal(store.size, 2 * maxKeys);
  }
});

test("keys of both policies of a checkEvery are swept when their time is over", async () => {
  const policies = {
    user: { limits: [fixedWindow({ limit: 5, window: "1s" })] },
    log: { limits: [slidingLog({ limit: 5, window: "1s" })] },
  };
  const { limiter, clock, store } = create(policies, 100_000);
  const every = (key: string) => {
    return limiter.checkEvery([
      { policy: "user", key },
      { policy: "log", key },
    ]);
  };
  for (let index = 0; index < 2_000; index += 1) await every(`old${index}`);
  assert.equal(store.size, 4_000);
  clock.advanceMs(1_000);
  for (let index = 0; index < 2_500; index += 1) await every(`new${index}`);
  assert.equal(store.size, 5_000, "the old ones of both are gone");
});

test("keys whose limits have another width now are not left behind", async () => {
  const { limiter, clock, store } = create({ api: { limits: log(5) } }, 100_000);
  for (let index = 0; index < 1_000; index += 1) {
    await limiter.check({ policy: "api", key: `old${index}` });
  }
  limiter.setPolicy("api", { limits: [...log(5), ...hour(50)] });
  clock.advanceMs(3_600_000);
  for (let index = 0; index < 2_000; index += 1) {
    await limiter.check({ policy: "api", key: `new${index}` });
  }
  assert.equal(store.size, 2_000);
});

test("beyond maxRecords the oldest id is charged again, and the oldest reservation stays charged", async () => {
  const { limiter } = create({ api: { limits: hour(1_000) } }, 1_000, 10);
  const a = { policy: "api", key: "a" };
  const left = async () => (await limiter.peek({ ...a, cost: 0 })).remaining;
  const reservation = await limiter.reserve({ ...a, cost: 50, id: "reservation" });
  for (let index = 0; index < 9; index += 1) await limiter.check({ ...a, id: `${index}` });
  await limiter.check({ ...a, id: "0" });
  assert.equal(await left(), 941, "all ten are remembered");
  await limiter.check({ ...a, id: "9" });
  await limiter.check({ ...a, id: "0" });
  assert.equal(await left(), 940, "the reservation is the one that went");
  const settlement = await limiter.settle(reservation, 0);
  assert.deepEqual([settlement.settled, settlement.remaining], [false, 940]);
  for (let index = 10; index < 20; index += 1) await limiter.check({ ...a, id: `${index}` });
  await limiter.check({ ...a, id: "0" });
  assert.equal(await left(), 929, "and so has the first id by now");
});

test("an id of many keys counts for as many", async () => {
  const { limiter } = create({ api: { limits: hour(1_000) } }, 1_000, 100);
  const requests = Array.from({ length: 64 }, (_, index) => ({ policy: "api", key: `k${index}` }));
  const a = { policy: "api", key: "a" };
  for (let index = 0; index < 50; index += 1) await limiter.check({ ...a, id: `${index}` });
  await limiter.checkEvery(requests, { id: "every" });
  await limiter.checkEvery(requests, { id: "every" });
  assert.equal((await limiter.peek({ ...requests[63]!, cost: 0 })).remaining, 999);
  await limiter.check({ ...a, id: "49" });
  assert.equal((await limiter.peek({ ...a, cost: 0 })).remaining, 950, "it is remembered");
  await limiter.check({ ...a, id: "13" });
  assert.equal((await limiter.peek({ ...a, cost: 0 })).remaining, 949, "it had to go");
});

test("what is remembered of keys that were reset, or reserved from, is bounded as well", async () => {
  const limits = [tokenBucket({ capacity: 10, refill: "1/h" })];
  const { limiter } = create({ api: { limits } }, 10_000, 10);
  const before = heapUsed();
  for (let index = 0; index < 50_000; index += 1) {
    const key = `${index}`.padEnd(1_000, "x");
    await limiter.reset({ policy: "api", key });
  }
  const grown = heapUsed() - before;
  assert.ok(grown < 40_000_000, `${grown} bytes, where the keys alone are 50 MB`);
});
