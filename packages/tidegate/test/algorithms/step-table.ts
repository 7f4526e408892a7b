// Runs a table of what one key is answered, step by step, under limits that may change between them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Limit, memoryStore } from "tidegate";
import { createPolicy } from "../../src/policy/policy.ts";
import { createManualClock } from "../support/manual-clock.ts";

/** At in ms, cost, allowed, remaining, retry after ms, reset after ms, and delay in ms where that is not 0. */
export type Step = [number, number, boolean, number, number | null, number, number?];

/** At in ms, what is done for the permit of which id and for how many units, done, then as in a Step. */
export type PermitStep = [
  number,
  "acquire" | "release" | "extend",
  string,
  number,
  boolean,
  number,
  number | null,
  number,
];

/** Start of the tables: a Sunday, of which a whole day, hour and minute begin. */
export const TABLE_START_US = Date.UTC(2026, 2, 1) * 1_000;

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

const isChange = (row: Step | PermitStep | Limit[]): row is Limit[] => typeof row[0] === "object";

/** Runs checks; a list of limits among the steps changes the policy to them. */
export function runSteps(name: string, limits: Limit[], rows: readonly (Step | Limit[])[]): void {
  test(name, () => {
    const clock = createManualClock(TABLE_START_US);
    const store = memoryStore({ clock });
    let policy = createPolicy("api", { limits });
    for (const row of rows) {
      if (isChange(row)) {
        policy = createPolicy("api", { limits: row });
        continue;
      }
      const [at, cost, ...expected] = row;
      clock.setUs(TABLE_START_US + Math.round(at * 1_000));
      const decision = store.decide(policy, "user:42", cost, true);
      const { allowed, remaining, retryAfterMs, resetAfterMs, delayMs } = decision;
      const seen = [allowed, remaining, retryAfterMs, resetAfterMs, delayMs];
      if (expected.length === 4) expected.push(0);
      assert.deepEqual(seen, expected, `at ${at} ms, cost ${cost}`);
    }
  });
}

/** Runs what is done with permits; a list of limits among the steps changes the policy to them. */
export function runPermitSteps(
  name: string,
  limits: Limit[],
  rows: readonly (PermitStep | Limit[])[],
): void {
  test(name, () => {
    const clock = createManualClock(TABLE_START_US);
    const store = memoryStore({ clock });
    let policy = createPolicy("jobs", { limits });
    for (const row of rows) {
      if (isChange(row)) {
        policy = createPolicy("jobs", { limits: row });
        continue;
      }
      const [at, act, id, cost, ...expected] = row;
      clock.setUs(TABLE_START_US + Math.round(at * 1_000));
      const part = { policy, key: "user:42", cost };
      const { done, decision } =
        act === "acquire"
          ? store.run({ kind: "take", parts: [part], permit: id })
          : store.run({ kind: act, part, permit: id });
      const seen = [done, decision.remaining, decision.retryAfterMs, decision.resetAfterMs];
      assert.deepEqual(seen, expected, `at ${at} ms, ${act} ${id}`);
    }
  });
}
