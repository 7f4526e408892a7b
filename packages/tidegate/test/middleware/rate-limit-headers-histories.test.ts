// The header writer over random histories of a real limiter: policies of every algorithm, with soft limits, shadows and
// overrides. What it writes parses, keeps its ranges, and never promises anything too early.

import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { type Item, parseList } from "structured-headers";
import {
  calendarWindow,
  concurrency,
  createLimiter,
  type Decision,
  fixedWindow,
  type Held,
  type Limit,
  type LimitDescription,
  type Limiter,
  leakyBucket,
  memoryStore,
  type PolicyDescription,
  type PolicyOptions,
  rateLimitHeaders,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from "tidegate";

const START_US = Date.UTC(2026, 1, 27, 22) * 1_000;
/** Decisions are in milliseconds, rounded up. */
const ROUNDING_US = 2_000;

const units = (max: number) => fc.integer({ min: 1, max });
const rate = fc
  .record({ units: units(1_000), per: fc.constantFrom("s", "m", "500ms", "h", "7s") })
  .map(({ units: some, per }) => `${some}/${per}`);
const window = fc.record({
  limit: units(40),
  window: fc.oneof(units(2_000), units(100_000)),
  soft: fc.boolean(),
});

/** Limits by algorithm, but for permits, which go by other calls. */
const limits: readonly fc.Arbitrary<Limit>[] = [
  fc.record({ capacity: units(1_000), refill: rate, soft: fc.boolean() }).map(tokenBucket),
  fc.record({ queue: fc.nat(40), rate }).map(leakyBucket),
  window.map(fixedWindow),
  window.map(slidingWindow),
  window.map(slidingLog),
  fc
    .record({
      limit: units(40),
      per: fc.constantFrom("day", "week", "month"),
      timeZone: fc.constantFrom("UTC", "Europe/Berlin"),
      soft: fc.boolean(),
    })
    .map(calendarWindow),
];
const anyLimit = fc.oneof(...limits);
const permits = fc.record({ limit: units(6), lease: units(60_000) }).map(concurrency);

/** Policies of a kind, and half of them of that alone, since a decision is about one limit only. */
function policiesOf(one: fc.Arbitrary<Limit>): fc.Arbitrary<PolicyOptions> {
  return fc.record({
    limits: fc.oneof(
      one.map((limit) => [limit]),
      fc
        .tuple(one, fc.array(anyLimit, { minLength: 1, maxLength: 2 }))
        .map(([first, more]) => [first, ...more]),
    ),
    // One in four.
    shadow: fc.nat(3).map((number) => number === 0),
  });
}

interface Step {
  readonly gapUs: number;
  readonly call: "check" | "peek" | "settle" | "release";
  readonly cost: number;
  readonly key: string;
  /** Whether what is promised is looked at, when its time has come. */
  readonly probe: boolean;
}

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    gapUs: fc.oneof(fc.nat(3_000), fc.nat(1_000_000), fc.nat(40_000_000)),
    call: fc.constantFrom("check", "check", "check", "peek", "settle", "release"),
    cost: fc.oneof(fc.nat(3), fc.nat(60)),
    key: fc.constantFrom("k", "k", "k", "vip", "free", "bad", "out"),
    probe: fc.boolean(),
  }),
  { minLength: 1, maxLength: 25 },
);

class History {
  nowUs = START_US;
  readonly limiter: Limiter;
  readonly #holds: boolean;
  readonly #held: Held[] = [];

  constructor(policy: PolicyOptions, vip: readonly Limit[]) {
    const clock = { now: () => this.nowUs };
    this.#holds = policy.limits.some(({ algorithm }) => algorithm === "concurrency");
    const overrides = [
      // An override has permits exactly where the policy has.
      { key: "vip", limits: this.#holds ? policy.limits : vip },
      { key: "free", unlimited: true },
      { key: "bad", blocked: true },
      { key: "out", blocked: true, until: START_US / 1_000 + 45_678 },
    ];
    this.limiter = createLimiter({
      policies: { api: { ...policy, overrides } },
      store: memoryStore({ clock }),
      clock,
    });
  }

  /** Does a step; returns its decision, and the cost that was asked for. */
  async step({ call, cost, key }: Step): Promise<[Decision, number]> {
    const request = { policy: "api", key };
    if (call === "peek") return [await this.look(key, cost), cost];
    if (!this.#holds) {
      if (call !== "settle") return [await this.limiter.check({ ...request, cost }), cost];
      const reservation = await this.limiter.reserve({ ...request, cost: 1 });
      return [await this.limiter.settle(reservation, cost), 0];
    }
    const held = this.#held.pop();
    if (call === "release" && held !== undefined) await this.limiter.release(held);
    const permit = await this.limiter.acquire({ ...request, cost: Math.max(cost, 1) });
    if (permit.allowed) this.#held.push(permit);
    return [permit, permit.cost];
  }

  look(key: string, cost: number): Promise<Decision> {
    return this.limiter.peek({ policy: "api", key, cost });
  }

  /** Looks again after a while, at each in its time, and stays there: states do not go back. */
  async lookAhead(looks: readonly Look[], key: string): Promise<void> {
    const start = this.nowUs;
    for (const { afterUs, cost, verify } of looks.toSorted((a, b) => a.afterUs - b.afterUs)) {
      this.nowUs = start + afterUs;
      verify(await this.look(key, cost));
    }
  }
}

/** What is expected of a look at `cost` after a while. */
interface Look {
  readonly afterUs: number;
  readonly cost: number;
  readonly verify: (then: Decision) => void;
}

const everyKind: [string, fc.Arbitrary<Limit>][] = [
  ...[
    "token bucket",
    "leaky bucket",
    "fixed window",
    "sliding window",
    "sliding log",
    "calendar",
  ].map((name, index): [string, fc.Arbitrary<Limit>] => [name, limits[index]!]),
  ["permits", permits],
];

for (const [name, one] of everyKind) {
  it(`parses, keeps its ranges, and is never too early: ${name}`, async () => {
    let told = 0;
    await fc.assert(
      fc.asyncProperty(policiesOf(one), anyLimit, steps, async (policy, vip, all) => {
        const history = new History(policy, [vip]);
        for (const step of all) {
          history.nowUs += step.gapUs;
          const description = history.limiter.describe("api", step.key);
          const [decision, cost] = await history.step(step);
          const headers = rateLimitHeaders(decision, description);
          if (Object.keys(headers).length > 0) told += 1;
          const looks = check(description, decision, cost, headers);
          if (step.probe) await history.lookAhead(looks, step.key);
        }
        await history.limiter.close();
      }),
      { numRuns: 300 },
    );
    assert.ok(told > 300, `${told} times something was told`);
  });
}

type Headers = ReturnType<typeof rateLimitHeaders>;

/** Checks what was written; returns what is promised with it. */
function check(
  description: PolicyDescription,
  decision: Decision,
  cost: number,
  headers: Headers,
): Look[] {
  const isBlocked = decision.limitName === "blocked";
  const isTold = !description.shadow && (description.limits.length > 0 || isBlocked);
  assert.equal("RateLimit" in headers, isTold);
  assert.equal("RateLimit-Policy" in headers, isTold);
  assert.equal("Retry-After" in headers, !decision.allowed && decision.retryAfterMs !== null);
  if (!isTold) return [];
  checkPolicy(headers["RateLimit-Policy"]!, description);
  const [[name, parameters], ...others] = itemsOf(headers.RateLimit!) as [Parsed, ...Parsed[]];
  const { r, t, ...rest } = Object.fromEntries(parameters);
  assert.deepEqual([name, r, others, rest], [decision.limitName, decision.remaining, [], {}]);
  const looks = t === undefined ? [] : checkMore(description, decision, cost, t);
  const retryAfter = headers["Retry-After"];
  if (retryAfter === undefined) return looks;
  assert.match(retryAfter, /^[1-9]\d{0,14}$/);
  assert.ok(t === undefined || Number(retryAfter) >= Number(t), "Retry-After is never before t");
  const verify = (then: Decision) => {
    // A block that ends leaves the key to the policy's limits, which have a say of their own.
    assert.ok(then.allowed || (isBlocked && then.limitName !== "blocked"), "at Retry-After");
  };
  return [...looks, { afterUs: Number(retryAfter) * 1_000_000, cost, verify }];
}

type Parsed = [string, Map<string, unknown>];

function itemsOf(field: string): Parsed[] {
  return parseList(field).map((item) => {
    const [value, parameters] = item as Item;
    assert.ok(typeof value === "string" && parameters instanceof Map);
    return [value, parameters];
  });
}

function checkPolicy(field: string, { limits: described }: PolicyDescription): void {
  const items = itemsOf(field);
  if (described.length === 0) {
    assert.deepEqual(items, [["blocked", new Map([["q", 0]])]]);
    return;
  }
  assert.equal(items.length, described.length);
  items.forEach(([name, parameters], index) => {
    const limit = described[index]!;
    const { q, w, ...rest } = Object.fromEntries(parameters);
    assert.deepEqual([name, q], [limit.name, limit.limit]);
    const soft = limit.soft ? { "tidegate-soft": true } : {};
    if (limit.algorithm === "concurrency") {
      assert.deepEqual([w, rest], [undefined, { qu: "concurrent-requests" }]);
      return;
    }
    assert.deepEqual(rest, soft);
    checkSeconds(w);
    assert.ok(Number(w) * 1_000 >= limit.windowMs);
    const month = limit.windowMs === 28 * 86_400_000 ? 3 * 86_400 : 0;
    assert.ok((Number(w) - month - 1) * 1_000 < limit.windowMs);
  });
}

/** After `t` there is more, and where the decision's numbers leave nothing open, not a second before. */
function checkMore(
  description: PolicyDescription,
  decision: Decision,
  cost: number,
  t: unknown,
): Look[] {
  checkSeconds(t);
  const { limitName, remaining, resetAfterMs } = decision;
  assert.ok(Number(t) <= Math.ceil(resetAfterMs / 1_000));
  const bound = description.limits.find((limit) => limit.name === limitName);
  if (bound === undefined) return [];
  const looks: Look[] = [];
  const look = (afterUs: number, verify: (remaining: number) => void) => {
    const verifySame = (then: Decision) => {
      if (then.limitName === limitName) verify(then.remaining);
    };
    if (afterUs > 0) looks.push({ afterUs, cost: 0, verify: verifySame });
  };
  if (!mayBeInHiddenDebt(bound, decision, cost)) {
    look(Number(t) * 1_000_000 + ROUNDING_US, (then) => {
      assert.ok(then > remaining, "more at t");
    });
  }
  if (EXACT.has(bound.algorithm)) {
    look((Number(t) - 1) * 1_000_000 - ROUNDING_US, (then) => {
      assert.ok(then <= remaining, "no more before t");
    });
  }
  return looks;
}

const EXACT: ReadonlySet<string> = new Set([
  "token-bucket",
  "leaky-bucket",
  "fixed-window",
  "calendar-window",
]);

/** A look that cost nothing, at counters that have nothing left: how far they are in debt is in no number. */
function mayBeInHiddenDebt(
  { algorithm, soft }: LimitDescription,
  { remaining }: Decision,
  cost: number,
): boolean {
  return algorithm === "sliding-window" && !soft && remaining === 0 && cost === 0;
}

function checkSeconds(value: unknown): void {
  assert.ok(typeof value === "number" && Number.isInteger(value) && value >= 1);
}
