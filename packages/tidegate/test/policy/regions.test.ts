import { strict as assert } from "node:assert";
import { test } from "node:test";
import {
  createLimiter,
  fixedWindow,
  type LimiterOptions,
  slidingWindow,
  TidegateError,
  tokenBucket,
} from "../../src/index.ts";
import { partOfLimit } from "../../src/policy/share.ts";
import { createFaultyStore } from "../support/faulty-store.ts";
import { createManualClock } from "../support/manual-clock.ts";

const regions = { eu: 3, us: 1 };

function limiterIn(region: string | undefined, options: Partial<LimiterOptions> = {}) {
  return createLimiter({
    ...(region === undefined ? {} : { region }),
    store: createFaultyStore(createManualClock()),
    policies: {
      api: {
        limits: [
          tokenBucket({ capacity: 100, refill: "10/s" }),
          fixedWindow({ limit: 10, window: "1m" }),
        ],
        overrides: [{ key: "vip", limits: [slidingWindow({ limit: 8, window: "1m" })] }],
        regions,
      },
    },
    ...options,
  });
}

test("each region has its part of the limits, and of those of overrides", () => {
  const parts = (region: string, key?: string) => {
    return limiterIn(region)
      .describe("api", key)
      .limits.map(({ limit }) => limit);
  };
  assert.deepEqual(parts("eu"), [75, 7]);
  assert.deepEqual(parts("us"), [25, 2]);
  assert.deepEqual(parts("eu", "vip"), [6]);
  assert.deepEqual(parts("us", "vip"), [2]);
});

test("the parts of a bucket return at their part of the rate, exactly", () => {
  const whole = tokenBucket({ capacity: 100, refill: "10/s" });
  const part = partOfLimit(whole, 3, 4);
  assert.equal(part.algorithm, "token-bucket");
  // Three quarters of 10/s are 7.5/s: 75 units take ten seconds.
  assert.equal(part.limit, 75);
  assert.equal(part.windowUs, 10_000_000);
});

test("a part that is no exact number is rounded to no more than it", () => {
  const whole = tokenBucket({ capacity: 1_000_000_000, refill: "4000037/s" });
  const part = partOfLimit(whole, 997, 1_000);
  assert.ok(part.algorithm === "token-bucket");
  const perSecond = (1e6 * part.units) / part.periodUs;
  assert.ok(perSecond <= 0.997 * 4_000_037 && perSecond > 0.99 * 4_000_037, `${perSecond}/s`);
  assert.ok(part.limit * part.units < 2 ** 52);
});

test("refuses regions that are wrong", () => {
  const refused = (make: () => unknown, message: string) => {
    assert.throws(make, (error) => {
      return (
        error instanceof TidegateError &&
        error.code === "INVALID_OPTION" &&
        error.message === message
      );
    });
  };
  const limits = [fixedWindow({ limit: 10, window: "1m" })];
  refused(
    () => limiterIn("asia"),
    'policies.api.regions must be an object with a weight for the limiter\'s region too, "asia", got {"eu":3,"us":1}',
  );
  refused(
    () => limiterIn(undefined),
    'policies.api.regions must be an object with a weight for the limiter\'s region too, "", got {"eu":3,"us":1}',
  );
  refused(
    () => limiterIn("eu", { policies: { api: { limits, regions: { eu: 0 } } } }),
    "policies.api.regions.eu must be a positive integer, got 0",
  );
  refused(
    () => createLimiter({ region: "eu", policies: { api: { limits, regions } } }),
    'policies.api.regions must be left out beside coordination "local", by which each node has the whole limit, ' +
      'got {"eu":3,"us":1}',
  );
  refused(
    () => createLimiter({ region: "e".repeat(65), policies: { api: { limits } } }),
    `region must be a name of at most 64 characters, got "${"e".repeat(65)}"`,
  );
});
