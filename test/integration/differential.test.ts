// TypeScript and Lua decide the same: random histories through the memory store and a real Redis, field by field.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { fixedWindow, type Limit, memoryStore, tokenBucket } from "tidegate";
import { createPolicy, type Policy } from "../../packages/tidegate/src/policy/policy.ts";
import { adaptClient } from "../../packages/tidegate/src/stores/redis/client.ts";
import { InRedis } from "../../packages/tidegate/src/stores/redis/redis-store.ts";
import { createScript, readDecideScript } from "../../packages/tidegate/src/stores/redis/script.ts";
import { createManualClock } from "../../packages/tidegate/test/support/manual-clock.ts";
import { type RedisServer, startRedis, withoutRedis } from "../support/redis-server.ts";

const HISTORIES = 2_500;
const CLOCK_KEY = "test:clock";
let server: RedisServer;

before(async () => {
  if (withoutRedis === false) server = await startRedis();
});
after(() => server?.stop());

/** The script on a clock that the test sets, and with expiries on Redis' own clock that the test never reaches. */
function scriptOnManualClock() {
  const replace = (text: string, from: string, to: string) => {
    assert.equal(text.split(from).length, 2, `decide.lua has exactly one ${from}`);
    return text.replace(from, to);
  };
  let text = readDecideScript();
  text = replace(
    text,
    "local now = time[1] * 1000000 + time[2]",
    `local now = time[1] * 0 + tonumber(redis.call('GET', '${CLOCK_KEY}'))`,
  );
  text = replace(text, "call('PEXPIREAT', key, text)", "call('PEXPIRE', key, '3600000')");
  return createScript(text);
}

const limitArbitrary: fc.Arbitrary<Limit> = fc.oneof(
  fc
    .record({
      capacity: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constantFrom(1_000, 1_000_000)),
      units: fc.constantFrom(1, 2, 3, 7, 10, 100, 1_000_000),
      per: fc.constantFrom("1s", "1s", "7s", "1m", "1h", "30d", "13ms"),
    })
    .filter(({ capacity, units, per }) => !/[hd]$/.test(per) || capacity <= 1_000 * units)
    .map(({ capacity, units, per }) => tokenBucket({ capacity, refill: `${units}/${per}` })),
  fc
    .record({
      limit: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constantFrom(1_000, 1_000_000)),
      window: fc.constantFrom("10ms", "1s", "7s", "1m", "1h"),
    })
    .map((options) => fixedWindow(options)),
);

const policyArbitrary = (name: string) => {
  return fc
    .array(limitArbitrary, { minLength: 1, maxLength: 3 })
    .map((limits) => createPolicy(name, { limits }));
};

const gapArbitrary = fc.oneof(
  { arbitrary: fc.constant(0), weight: 3 },
  { arbitrary: fc.integer({ min: 1, max: 2_000 }), weight: 2 },
  { arbitrary: fc.integer({ min: 1_000, max: 2_000_000 }), weight: 4 },
  { arbitrary: fc.integer({ min: 1_000_000, max: 7_200_000_000 }), weight: 1 },
  { arbitrary: fc.integer({ min: -2_000_000, max: -1 }), weight: 1 },
  { arbitrary: fc.integer({ min: -7_200_000_000, max: -2_000_000 }), weight: 1 },
);

const stepArbitrary = fc.record({
  gapUs: gapArbitrary,
  key: fc.constantFrom("a", "b"),
  burst: fc.constantFrom(0, 0, 0, 1, 5),
  elsewhere: fc.boolean(),
  cost: fc.oneof(
    { arbitrary: fc.constant(1), weight: 4 },
    { arbitrary: fc.integer({ min: 0, max: 25 }), weight: 3 },
    { arbitrary: fc.constantFrom(999, 1_000_000, 1_000_000_000), weight: 1 },
  ),
  act: fc.constantFrom("check", "check", "check", "check", "check", "check", "peek", "reset"),
  /** Which of the history's policies decides: mostly the first, now and then the limit has been changed. */
  policy: fc.oneof({ arbitrary: fc.constant(0), weight: 6 }, { arbitrary: fc.nat(2), weight: 1 }),
});

const historyArbitrary = fc.record({
  policies: fc.tuple(policyArbitrary("api"), policyArbitrary("api"), policyArbitrary("api")),
  /** Another policy, whose checks go out in the same script calls. */
  other: policyArbitrary("web"),
  steps: fc.array(stepArbitrary, { minLength: 1, maxLength: 25 }),
});

test("memory and Redis give the same decisions, field by field", {
  skip: withoutRedis,
}, async () => {
  const script = scriptOnManualClock();
  const redis = new InRedis(adaptClient(server.client), script, "differential", 128, {
    afterTurn: (work) => setImmediate(work),
  });
  let decisions = 0;
  await fc.assert(
    fc.asyncProperty(historyArbitrary, async ({ policies, other, steps }) => {
      const clock = createManualClock();
      const memory = memoryStore({ clock, sweepSlots: 0 });
      await server.client.flushdb();
      for (const step of steps) {
        clock.setUs(clock.now() + step.gapUs);
        const policy: Policy = policies[step.policy]!;
        await server.client.set(CLOCK_KEY, String(clock.now()));
        if (step.act === "reset") {
          memory.reset(policy, step.key);
          await redis.reset(policy, step.key);
          continue;
        }
        // A burst goes out as one script call: several checks of one key, several keys, two policies.
        const burst = steps.slice(0, step.burst);
        const checks = [step, ...burst].filter(({ act }) => act !== "reset");
        const actual = await Promise.all(
          checks.map(({ elsewhere, key, cost, act }) => {
            return redis.decide(elsewhere ? other : policy, key, cost, act === "check");
          }),
        );
        for (const [index, { elsewhere, key, cost, act }] of checks.entries()) {
          const asked = elsewhere ? other : policy;
          const expected = memory.decide(asked, key, cost, act === "check");
          assert.deepEqual({ ...actual[index], source: "local" }, expected);
          decisions += 1;
        }
      }
    }),
    { numRuns: HISTORIES },
  );
  assert.ok(decisions > HISTORIES, `${decisions} decisions were compared`);
});
