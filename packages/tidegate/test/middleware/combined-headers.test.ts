// The fields of several middlewares on one response: every policy once, the tighter of two items of one name.

import assert from "node:assert/strict";
import { it } from "node:test";
import type { Decision } from "tidegate";
import { combineHeaders } from "../../src/middleware/combined-headers.ts";

function answer(limitName: string, remaining: number, allowed = true) {
  const decision: Decision = {
    allowed,
    policy: "api",
    key: "k",
    limitName,
    limit: 9,
    remaining,
    retryAfterMs: allowed ? 0 : 1_000,
    resetAfterMs: 1_000,
    delayMs: 0,
    soft: false,
    nearLimit: false,
    shadow: false,
    source: "local",
  };
  const headers = {
    "RateLimit-Policy": `"${limitName}";q=9;w=1`,
    RateLimit: `"${limitName}";r=${remaining};t=1`,
  };
  return { decision, headers: allowed ? headers : { ...headers, "Retry-After": "1" } };
}

it("lists policies in order, each once", () => {
  const response = {};
  const a = answer("a", 5);
  assert.deepEqual(combineHeaders(response, a.decision, a.headers), a.headers);
  const b = answer("b", 3, false);
  assert.deepEqual(combineHeaders(response, b.decision, b.headers), {
    "RateLimit-Policy": '"a";q=9;w=1, "b";q=9;w=1',
    RateLimit: '"a";r=5;t=1, "b";r=3;t=1',
    "Retry-After": "1",
  });
  assert.deepEqual(combineHeaders({}, b.decision, b.headers), b.headers, "another response");
});

it("keeps what was told where a policy tells nothing", () => {
  const response = {};
  const a = answer("a", 5);
  combineHeaders(response, a.decision, a.headers);
  const { decision } = answer("b", 0, false);
  assert.deepEqual(combineHeaders(response, decision, { "Retry-After": "1" }), {
    "Retry-After": "1",
  });
  const c = answer("c", 2);
  assert.deepEqual(combineHeaders(response, c.decision, c.headers), {
    "RateLimit-Policy": '"a";q=9;w=1, "c";q=9;w=1',
    RateLimit: '"a";r=5;t=1, "c";r=2;t=1',
  });
});

// [remaining first, remaining second, second allowed, told]
const table: readonly [number, number, boolean, number][] = [
  [5, 4, true, 4],
  [4, 5, true, 4],
  [4, 4, true, 4],
  [0, 3, false, 3],
];
for (const [first, second, allowed, told] of table) {
  it(`tells r=${told} of ${first} and then ${second}, ${allowed ? "allowed" : "denied"}`, () => {
    const response = {};
    const one = answer("a", first);
    combineHeaders(response, one.decision, one.headers);
    const two = answer("a", second, allowed);
    const combined = combineHeaders(response, two.decision, two.headers);
    assert.equal(combined["RateLimit-Policy"], '"a";q=9;w=1');
    assert.equal(combined.RateLimit, `"a";r=${told};t=1`);
  });
}
