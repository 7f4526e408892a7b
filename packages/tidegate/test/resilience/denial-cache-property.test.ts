// The denial cache beside a naive model, which keeps every denial and drop and goes through all of them.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fixedWindow } from "tidegate";
import { createPolicy } from "../../src/policy/policy.ts";
import { DenialCache } from "../../src/resilience/denial-cache.ts";
import { denialOf } from "../support/decisions.ts";

const START_US = Date.UTC(2026, 0, 1) * 1_000;
const KEYS = ["a", "b", "c"] as const;
const LIMIT = 10;

/** Two definitions of one policy, and another policy. */
const POLICIES = ["api", "api", "other"].map((name) => {
  return createPolicy(name, { limits: [fixedWindow({ limit: LIMIT, window: "1h" })] });
});

interface Step {
  readonly kind: "add" | "drop" | "find";
  readonly policy: number;
  readonly key: (typeof KEYS)[number];
  readonly cost: number;
  readonly retryMs: number | null;
  /** Before now, when an added denial was asked for. */
  readonly flightMs: number;
  readonly passMs: number;
  readonly away: boolean;
}

const stepArbitrary: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom("add", "add", "drop", "find", "find", "find"),
  policy: fc.integer({ min: 0, max: 2 }),
  key: fc.constantFrom(...KEYS),
  cost: fc.integer({ min: 1, max: LIMIT + 1 }),
  retryMs: fc.oneof(fc.constantFrom(null, 1, 900), fc.integer({ min: 1, max: 5_000 })),
  flightMs: fc.integer({ min: 0, max: 1_000 }),
  passMs: fc.oneof(fc.constantFrom(0, 900), fc.integer({ min: 0, max: 3_000 })),
  away: fc.boolean(),
});

interface Known extends Step {
  readonly askedAt: number;
}

/** Says what is known last of a key, by going through all that has happened. */
function lastOf(history: readonly Known[], { policy, key }: Step): Known | undefined {
  const { name } = POLICIES[policy]!;
  const own = history.filter((one) => POLICIES[one.policy]!.name === name && one.key === key);
  let last: Known | undefined;
  for (const one of own) {
    const isOld = one.kind === "add" && last?.kind === "drop" && one.askedAt <= last.askedAt;
    if (!isOld) last = one;
  }
  return last;
}

/** Returns how long to wait for a cost by the model: undefined where it does not know of a denial. */
function retryOf(history: readonly Known[], step: Step, now: number): number | null | undefined {
  const last = lastOf(history, step);
  if (last?.kind !== "add" || last.policy !== step.policy || last.cost > step.cost)
    return undefined;
  const ageMs = (now - last.askedAt) / 1_000;
  if (!step.away && ageMs >= 900) return undefined;
  if (last.retryMs !== null && ageMs >= last.retryMs) return undefined;
  return last.retryMs === null || step.cost > LIMIT ? null : Math.ceil(last.retryMs - ageMs);
}

test("answers as a model does that forgets nothing", () => {
  fc.assert(
    fc.property(fc.array(stepArbitrary, { maxLength: 60, size: "max" }), (steps) => {
      const cache = new DenialCache();
      const history: Known[] = [];
      let now = START_US;
      for (const step of steps) {
        const policy = POLICIES[step.policy]!;
        now += step.passMs * 1_000;
        const askedAt = step.kind === "add" ? now - step.flightMs * 1_000 : now;
        if (step.kind === "find") {
          const found = cache.find(policy, step.key, step.cost, now, step.away);
          assert.equal(found?.retryAfterMs, retryOf(history, step, now));
          assert.ok(found === undefined || (found.key === step.key && !found.allowed));
          continue;
        }
        history.push({ ...step, askedAt });
        if (step.kind === "drop") cache.drop(policy, step.key, now);
        else {
          const denial = denialOf(policy, step.key, step.retryMs);
          cache.add(policy, step.key, step.cost, denial, askedAt);
        }
      }
    }),
    { numRuns: 300 },
  );
});

test("with little room it forgets denials, and says nothing that the model does not", () => {
  fc.assert(
    fc.property(
      fc.array(stepArbitrary, { maxLength: 60, size: "max" }),
      fc.integer({ min: 1, max: 6 }),
      (steps, room) => {
        const cache = new DenialCache(room);
        const history: Known[] = [];
        let now = START_US;
        for (const step of steps) {
          const policy = POLICIES[step.policy]!;
          now += step.passMs * 1_000;
          if (step.kind === "find") {
            const found = cache.find(policy, step.key, step.cost, now, step.away);
            if (found !== undefined) assert.equal(found.retryAfterMs, retryOf(history, step, now));
          } else {
            // Nothing is in flight: what a drop is to outlive may be forgotten with it.
            const askedAt = step.kind === "drop" ? now - 1 : now;
            history.push({ ...step, askedAt });
            if (step.kind === "drop") cache.drop(policy, step.key, askedAt);
            else {
              cache.add(policy, step.key, step.cost, denialOf(policy, step.key, step.retryMs), now);
            }
          }
          assert.ok(cache.size <= room, `${cache.size} of ${room}`);
        }
      },
    ),
    { numRuns: 300 },
  );
});
