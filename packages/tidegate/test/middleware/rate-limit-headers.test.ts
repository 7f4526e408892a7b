// The header writer, held against an RFC 9651 parser that is not ours.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseList } from "structured-headers";
import type { AlgorithmName, Decision, LimitDescription, PolicyDescription } from "tidegate";
import { HEADER_VERSIONS, rateLimitHeaders } from "../../src/middleware/rate-limit-headers.ts";

const API: PolicyDescription = {
  name: "api",
  limits: [{ name: "api", algorithm: "token-bucket", limit: 100, windowMs: 10_000, soft: false }],
  shadow: false,
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

function only(field: string | undefined): [string, Record<string, unknown>] {
  const items = parseList(field ?? "");
  assert.equal(items.length, 1);
  return itemOf(items[0]);
}

function described(limit: Partial<LimitDescription>): PolicyDescription {
  return { ...API, limits: [{ ...API.limits[0]!, ...limit }] };
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
      shadow: false,
    };
    const headers = rateLimitHeaders(
      decisionOf({ limitName: "daily", limit: 1_000, remaining: 3, resetAfterMs: 5_000 }),
      description,
    );
    assert.deepEqual(parseList(headers["RateLimit-Policy"] ?? "").map(itemOf), [
      ["burst", { q: 100, w: 60 }],
      ["daily", { q: 1_000, w: 86_400 }],
    ]);
    assert.deepEqual(only(headers.RateLimit), ["daily", { r: 3, t: 5 }]);
  });

  // [algorithm, limit, window in ms, remaining, resetAfterMs, w, t]
  const table: readonly [
    AlgorithmName,
    number,
    number,
    number,
    number,
    number | undefined,
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
    // In debt of 5 units.
    ["token-bucket", 10, 600_000, 0, 900_000, 600, 360],
    // A queue of 9 and the unit that goes at once.
    ["leaky-bucket", 10, 10_000, 9, 1_000, 10, 1],
    ["leaky-bucket", 10, 100_000, 0, 95_000, 100, 5],
    ["leaky-bucket", 1, 60_000, 0, 60_000, 60, 60],
    ["fixed-window", 5, 60_000, 4, 59_001, 60, 60],
    ["fixed-window", 5, 60_000, 4, 59_000, 60, 59],
    ["fixed-window", 5, 60_000, 0, 1, 60, 1],
    ["fixed-window", 5, 60_000, 5, 0, 60, undefined],
    ["fixed-window", 10, 200, 9, 150, 1, 1],
    ["fixed-window", 10, 1_500, 9, 1_200, 2, 2],
    // This window ends in 20 s; then one of 5 fades every 12 s.
    ["sliding-window", 5, 60_000, 0, 80_000, 60, 32],
    ["sliding-window", 5, 60_000, 4, 80_000, 60, 80],
    // Those of the window before: one of 4 at the latest after a quarter of what is left.
    ["sliding-window", 5, 60_000, 1, 40_000, 60, 10],
    ["sliding-window", 5, 60_000, 4, 60_000, 60, 60],
    ["sliding-window", 5, 60_000, 5, 0, 60, undefined],
    ["sliding-log", 5, 60_000, 3, 45_500, 60, 46],
    ["sliding-log", 5, 500, 0, 499, 1, 1],
    ["calendar-window", 5, 86_400_000, 0, 3_600_000, 86_400, 3_600],
    ["calendar-window", 5, 604_800_000, 4, 604_800_000, 604_800, 604_800],
    // A month: described as the shortest, told as the longest.
    ["calendar-window", 5, 2_419_200_000, 4, 1_000, 2_678_400, 1],
    ["fixed-window", 5, 2_419_200_000, 4, 1_000, 2_419_200, 1],
  ];
  for (const [algorithm, limit, windowMs, remaining, resetAfterMs, w, t] of table) {
    it(`${algorithm} ${limit} per ${windowMs} ms, ${remaining} left, reset in ${resetAfterMs} ms`, () => {
      const headers = rateLimitHeaders(
        decisionOf({ limit, remaining, resetAfterMs }),
        described({ algorithm, limit, windowMs }),
      );
      assert.deepEqual(only(headers["RateLimit-Policy"]), ["api", { q: limit, w }]);
      const expected = t === undefined ? { r: remaining } : { r: remaining, t };
      assert.deepEqual(only(headers.RateLimit), ["api", expected]);
    });
  }

  it("counts permits in concurrent requests, with no window, and promises no time but that of a lease's end", () => {
    const permits = described({ algorithm: "concurrency", limit: 3, windowMs: 30_000 });
    const numbers = { limit: 3, remaining: 0, resetAfterMs: 29_000 };
    assert.deepEqual(rateLimitHeaders(decisionOf(numbers), permits), {
      "RateLimit-Policy": '"api";q=3;qu="concurrent-requests"',
      RateLimit: '"api";r=0',
    });
    const denied = decisionOf({ ...numbers, allowed: false, retryAfterMs: 4_100 });
    assert.deepEqual(rateLimitHeaders(denied, permits), {
      "RateLimit-Policy": '"api";q=3;qu="concurrent-requests"',
      RateLimit: '"api";r=0',
      "Retry-After": "5",
    });
  });

  it("tells a soft limit like others, and marks it", () => {
    const headers = rateLimitHeaders(
      decisionOf({ remaining: 0, resetAfterMs: 10_000, soft: true }),
      described({ soft: true }),
    );
    assert.equal(headers["RateLimit-Policy"], '"api";q=100;w=10;tidegate-soft');
    assert.deepEqual(only(headers["RateLimit-Policy"]), [
      "api",
      { q: 100, w: 10, "tidegate-soft": true },
    ]);
    assert.deepEqual(only(headers.RateLimit), ["api", { r: 0, t: 1 }]);
    assert.equal("Retry-After" in headers, false);
  });

  it("tells nothing of a shadow policy, whatever its limits say", () => {
    const shadow = { ...API, shadow: true };
    assert.deepEqual(rateLimitHeaders(decisionOf(), shadow), {});
    const denied = decisionOf({ remaining: 0, shadow: true });
    assert.deepEqual(rateLimitHeaders(denied, shadow), {});
  });

  it("tells no quota for a key that is unlimited, and one of 0 for a key that is blocked", () => {
    const without = { ...API, limits: [] };
    const unlimited = decisionOf({
      limitName: "unlimited",
      limit: 1e9,
      remaining: 1e9,
      resetAfterMs: 0,
    });
    assert.deepEqual(rateLimitHeaders(unlimited, without), {});
    const blocked = { allowed: false, limitName: "blocked", limit: 0, remaining: 0 };
    assert.deepEqual(
      rateLimitHeaders(decisionOf({ ...blocked, retryAfterMs: null, resetAfterMs: 0 }), without),
      { "RateLimit-Policy": '"blocked";q=0', RateLimit: '"blocked";r=0' },
    );
    assert.deepEqual(
      rateLimitHeaders(
        decisionOf({ ...blocked, retryAfterMs: 4_001, resetAfterMs: 4_001 }),
        without,
      ),
      {
        "RateLimit-Policy": '"blocked";q=0',
        RateLimit: '"blocked";r=0;t=5',
        "Retry-After": "5",
      },
    );
  });

  // [algorithm, soft, remaining, resetAfterMs, retryAfterMs, t]: what a denial waits for bounds what is not known.
  const bounded: readonly [AlgorithmName, boolean, number, number, number, number][] = [
    ["sliding-log", false, 0, 60_000, 7_000, 7],
    ["sliding-log", false, 0, 60_000, 90_000, 60],
    ["sliding-window", false, 0, 80_000, 77_000, 77],
    ["sliding-window", false, 1, 80_000, 77_000, 35],
    ["sliding-window", true, 0, 80_000, 0, 80],
    ["token-bucket", false, 0, 120_000, 70_000, 70],
  ];
  for (const [algorithm, soft, remaining, resetAfterMs, retryAfterMs, t] of bounded) {
    it(`${algorithm}, ${remaining} left, reset in ${resetAfterMs} ms, retry in ${retryAfterMs} ms: t=${t}`, () => {
      const allowed = retryAfterMs === 0;
      const numbers = { limit: 5, remaining, resetAfterMs, allowed, retryAfterMs };
      const description = described({ algorithm, soft, limit: 5, windowMs: 60_000 });
      const headers = rateLimitHeaders(decisionOf(numbers), description);
      assert.deepEqual(only(headers.RateLimit), ["api", { r: remaining, t }]);
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
    const named = (name: string) => described({ name, algorithm: "fixed-window" });
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
      described({ algorithm: "fixed-window", limit: 1e18, windowMs: 1e21 }),
    );
    const most = 999_999_999_999_999;
    assert.deepEqual(only(headers["RateLimit-Policy"]), ["api", { q: most, w: most }]);
    assert.deepEqual(only(headers.RateLimit), ["api", { r: 0, t: most }]);
    assert.equal(headers["Retry-After"], String(most));
  });
});
