// The header writer, held against an RFC 9651 parser that is not ours, over tables and random decisions.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseList } from "structured-headers";
import {
  createLimiter,
  type Decision,
  fixedWindow,
  memoryStore,
  type PolicyDescription,
  tokenBucket,
} from "tidegate";
import { HEADER_VERSIONS, rateLimitHeaders } from "../../src/middleware/rate-limit-headers.ts";

const API: PolicyDescription = {
  name: "api",
  limits: [{ name: "api", algorithm: "token-bucket", limit: 100, windowMs: 10_000, soft: false }],
};

function decisionOf(overrides: Partial<Decision> = {}): Decision {
  return {
    allowed: true,
    policy: "api",
    key: "user:42",
    limitName: "api",
    limit: 100,
    remaining: 99,
    retryAfterMs: 0,
    resetAfterMs: 100,
    delayMs: 0,
    soft: false,
    nearLimit: false,
    shadow: false,
    source: "local",
    ...overrides,
  };
}

function only(field: string): [string, Record<string, unknown>] {
  const items = parseList(field);
  assert.equal(items.length, 1);
  return itemOf(items[0]);
}

function itemOf(item: unknown): [string, Record<string, unknown>] {
  assert.ok(Array.isArray(item) && typeof item[0] === "string" && item[1] instanceof Map);
  return [item[0], Object.fromEntries(item[1])];
}

describe("rateLimitHeaders", () => {
  it("writes the fields exactly", () => {
    assert.deepEqual(rateLimitHeaders(decisionOf(), API), {
      "RateLimit-Policy": '"api";q=100;w=10',
      RateLimit: '"api";r=99;t=1',
    });
    assert.deepEqual(
      rateLimitHeaders(
        decisionOf({ allowed: false, remaining: 0, retryAfterMs: 1_001, resetAfterMs: 10_000 }),
        API,
      ),
      {
        "RateLimit-Policy": '"api";q=100;w=10',
        RateLimit: '"api";r=0;t=1',
        "Retry-After": "2",
      },
    );
    assert.deepEqual(HEADER_VERSIONS, ["draft-11"]);
    assert.deepEqual(
      rateLimitHeaders(decisionOf(), API, "draft-11"),
      rateLimitHeaders(decisionOf(), API),
    );
  });

  it("lists every limit of the policy, and the one that bound", () => {
    const description: PolicyDescription = {
      name: "api",
      limits: [
        { name: "burst", algorithm: "token-bucket", limit: 100, windowMs: 60_000, soft: false },
        {
          name: "daily",
          algorithm: "fixed-window",
          limit: 1_000,
          windowMs: 86_400_000,
          soft: false,
        },
      ],
    };
    const headers = rateLimitHeaders(
      decisionOf({ limitName: "daily", limit: 1_000, remaining: 3, resetAfterMs: 5_000 }),
      description,
    );
    assert.deepEqual(parseList(headers["RateLimit-Policy"]).map(itemOf), [
      ["burst", { q: 100, w: 60 }],
      ["daily", { q: 1_000, w: 86_400 }],
    ]);
    assert.deepEqual(only(headers.RateLimit), ["daily", { r: 3, t: 5 }]);
  });

  // [algorithm, limit, window in ms, remaining, resetAfterMs, w, t]
  const table: readonly [
    "token-bucket" | "fixed-window",
    number,
    number,
    number,
    number,
    number,
    number | undefined,
  ][] = [
    ["token-bucket", 100, 100_000, 99, 1_000, 100, 1],
    ["token-bucket", 100, 100_000, 50, 50_000, 100, 1],
    ["token-bucket", 100, 100_000, 50, 49_001, 100, 1],
    ["token-bucket", 10, 600_000, 0, 570_000, 600, 30],
    ["token-bucket", 10, 600_000, 0, 600_000, 600, 60],
    ["token-bucket", 10, 600_000, 0, 540_001, 600, 1],
    ["token-bucket", 10, 600_000, 10, 0, 600, undefined],
    ["token-bucket", 1_000_000, 1_000, 0, 1_000, 1, 1],
    ["token-bucket", 1, 2_592_000_000, 0, 2_592_000_000, 2_592_000, 2_592_000],
    ["fixed-window", 5, 60_000, 4, 59_001, 60, 60],
    ["fixed-window", 5, 60_000, 4, 59_000, 60, 59],
    ["fixed-window", 5, 60_000, 0, 1, 60, 1],
    ["fixed-window", 5, 60_000, 5, 0, 60, undefined],
    ["fixed-window", 10, 200, 9, 150, 1, 1],
    ["fixed-window", 10, 1_500, 9, 1_200, 2, 2],
  ];
  for (const [algorithm, limit, windowMs, remaining, resetAfterMs, w, t] of table) {
    it(`${algorithm} ${limit} per ${windowMs} ms, ${remaining} left, reset in ${resetAfterMs} ms`, () => {
      const headers = rateLimitHeaders(decisionOf({ limit, remaining, resetAfterMs }), {
        name: "api",
        limits: [{ name: "api", algorithm, limit, windowMs, soft: false }],
      });
      assert.deepEqual(only(headers["RateLimit-Policy"]), ["api", { q: limit, w }]);
      const expected = t === undefined ? { r: remaining } : { r: remaining, t };
      assert.deepEqual(only(headers.RateLimit), ["api", expected]);
    });
  }

  it("promises no retry where none helps", () => {
    const headers = rateLimitHeaders(decisionOf({ allowed: false, retryAfterMs: null }), API);
    assert.equal("Retry-After" in headers, false);
    assert.deepEqual(only(headers.RateLimit), ["api", { r: 99, t: 1 }]);
  });

  it("answers for a limit that the description no longer has", () => {
    const headers = rateLimitHeaders(
      decisionOf({ limitName: "old", remaining: 0, resetAfterMs: 4_200 }),
      API,
    );
    assert.deepEqual(only(headers.RateLimit), ["old", { r: 0, t: 5 }]);
  });

  it("escapes names, and refuses those that no header can carry", () => {
    const named = (name: string): PolicyDescription => ({
      name,
      limits: [{ name, algorithm: "fixed-window", limit: 1, windowMs: 1_000, soft: false }],
    });
    const name = 'a "quoted" \\ name';
    assert.equal(
      only(rateLimitHeaders(decisionOf({ limitName: name }), named(name)).RateLimit)[0],
      name,
    );
    for (const bad of ["café", "line\nfeed", "nul\0"]) {
      assert.throws(() => rateLimitHeaders(decisionOf({ limitName: bad }), named(bad)), {
        code: "INVALID_OPTION",
        field: "name",
        message: /printable ASCII/,
      });
    }
  });

  it("keeps integers within 15 digits and never negative", () => {
    const headers = rateLimitHeaders(
      decisionOf({
        limit: 1e18,
        remaining: -3,
        resetAfterMs: 1e21,
        allowed: false,
        retryAfterMs: 1e21,
      }),
      {
        name: "api",
        limits: [
          { name: "api", algorithm: "fixed-window", limit: 1e18, windowMs: 1e21, soft: false },
        ],
      },
    );
    const most = 999_999_999_999_999;
    assert.deepEqual(only(headers["RateLimit-Policy"]), ["api", { q: most, w: most }]);
    assert.deepEqual(only(headers.RateLimit), ["api", { r: 0, t: most }]);
    assert.equal(headers["Retry-After"], String(most));
  });
});

describe("rateLimitHeaders, over random histories of a real limiter", () => {
  const limitArbitrary = fc.oneof(
    fc
      .record({
        capacity: fc.integer({ min: 1, max: 1_000 }),
        units: fc.integer({ min: 1, max: 1_000 }),
        per: fc.constantFrom("s", "m", "500ms", "h", "7s"),
      })
      .map(({ capacity, units, per }) => tokenBucket({ capacity, refill: `${units}/${per}` })),
    fc
      .record({
        limit: fc.integer({ min: 1, max: 1_000 }),
        window: fc.integer({ min: 1, max: 100_000 }),
      })
      .map(fixedWindow),
  );
  const stepArbitrary = fc.record({
    gapUs: fc.integer({ min: 0, max: 30_000_000 }),
    cost: fc.integer({ min: 0, max: 1_200 }),
    probe: fc.boolean(),
  });

  it("parses, keeps its ranges, and `t` is when more is there", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(limitArbitrary, { minLength: 1, maxLength: 3 }),
        fc.array(stepArbitrary, { minLength: 1, maxLength: 12 }),
        async (limits, steps) => {
          let nowUs = 1_700_000_000_000_000;
          const clock = { now: () => nowUs };
          const limiter = createLimiter({
            policies: { api: { limits } },
            store: memoryStore({ clock }),
          });
          const description = limiter.describe("api");
          for (const { gapUs, cost, probe } of steps) {
            nowUs += gapUs;
            const decision = await limiter.check({ policy: "api", key: "k", cost });
            const headers = rateLimitHeaders(decision, description);
            checkPolicy(headers["RateLimit-Policy"], description);
            const [name, { r, t }] = only(headers.RateLimit);
            assert.equal(name, decision.limitName);
            assert.equal(r, decision.remaining);
            const retryAfter = headers["Retry-After"];
            assert.equal(retryAfter !== undefined, (decision.retryAfterMs ?? 0) > 0);
            if (retryAfter !== undefined) checkRetryAfter(retryAfter, decision, t);
            if (t === undefined) {
              assert.equal(decision.remaining, decision.limit);
            } else {
              checkSeconds(t);
              if (!probe) continue;
              // With 2 ms of room for the rounding of odd rates: no more a second before `t`, and more at `t`.
              const then = nowUs;
              nowUs = then + Math.max(0, (Number(t) - 1) * 1_000_000 - 2_000);
              const before = await limiter.peek({ policy: "api", key: "k", cost: 0 });
              nowUs = then + Number(t) * 1_000_000 + 2_000;
              const after = await limiter.peek({ policy: "api", key: "k", cost: 0 });
              if (before.limitName === decision.limitName) {
                assert.ok(before.remaining <= decision.remaining);
              }
              if (after.limitName === decision.limitName) {
                assert.ok(after.remaining > decision.remaining);
              }
            }
          }
          await limiter.close();
        },
      ),
      { numRuns: 500 },
    );
  });

  function checkPolicy(field: string, description: PolicyDescription): void {
    const items = parseList(field).map(itemOf);
    assert.equal(items.length, description.limits.length);
    items.forEach(([name, { q, w }], index) => {
      const limit = description.limits[index]!;
      assert.equal(name, limit.name);
      assert.equal(q, limit.limit);
      checkSeconds(w);
      assert.ok(Number(w) * 1_000 >= limit.windowMs && (Number(w) - 1) * 1_000 < limit.windowMs);
    });
  }

  function checkRetryAfter(field: string, decision: Decision, t: unknown): void {
    assert.match(field, /^[1-9]\d{0,14}$/);
    assert.ok(Number(field) * 1_000 >= decision.retryAfterMs!);
    assert.ok(t === undefined || Number(field) >= Number(t));
  }

  function checkSeconds(value: unknown): void {
    assert.ok(typeof value === "number" && Number.isInteger(value) && value >= 1);
  }
});
